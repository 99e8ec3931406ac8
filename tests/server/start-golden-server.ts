/** A server of golden packages that really draw, and completions of it by token ids. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openModels } from '../../src/cli/open-models.js';
import { GoldenPackages } from '../golden-package.js';
import { startServer } from './start-server.js';

/** An id that no candidate after the usual prompt begins with. */
export const RARE = 4;
/** Candidates for one chunk after which `exact` gives up. */
export const EXACT_DRAW_LIMIT = 333;

interface TokenCount {
  readonly count: number;
  readonly of: number;
  readonly probability: number | null;
  readonly interval: [number, number];
}

/** As much of an answer as tests read. */
export interface CompletionAnswer {
  readonly choices: readonly {
    readonly token_ids: readonly number[];
    readonly chunk_statistics?: readonly { draws: number; fallback: boolean; tokens: TokenCount[] }[];
  }[];
  readonly timings: {
    readonly draws: number;
    readonly decoded_positions: number;
    readonly fallbacks: number;
  };
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
  readonly error?: { readonly message: string; readonly param: string; readonly code: string };
}

export interface GoldenServer extends AsyncDisposable {
  readonly url: string;
  /** Of the CALM. */
  readonly vocabSize: number;
  /** A completion of twelve tokens behind four, of the model `calm` where the body names none. */
  ask(body: object): Promise<{ readonly status: number; readonly answer: CompletionAnswer }>;
}

/**
 * Serves a CALM of K = 4 as `calm`, the same with the token law as its own as `tokenwise`, and a token model as `token`.
 */
export async function startGoldenServer(): Promise<GoldenServer> {
  const packages = new GoldenPackages();
  const calm = packages.convert('energy-k4', 'fp32');
  const tokenwise = packages.copy(calm, 'tokenwise');
  writeFileSync(join(tokenwise, 'generation_config.json'), '{"temperature_law":"token"}');
  const choices = [
    { model: calm, servedName: 'calm' },
    { model: tokenwise, servedName: 'tokenwise' },
    { model: packages.convert('llama-tied-gqa', 'fp32'), servedName: 'token' },
  ] as const;
  const opened = openModels(choices, {
    device: 'cpu',
    threads: 1,
    maxNumSeqs: 4,
    exactDrawLimit: EXACT_DRAW_LIMIT,
  });
  const server = await startServer(opened.models);
  const manifest = JSON.parse(readFileSync(join(calm, 'manifest.json'), 'utf8')) as { vocab_size: number };
  return {
    url: server.url,
    vocabSize: manifest.vocab_size,
    ask: body => askAt(server.url, body),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
      packages.remove();
    },
  };
}

async function askAt(url: string, body: object) {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'calm',
      prompt: [5, 6, 7, 8],
      max_tokens: 12,
      seed: 3,
      ignore_eos: true,
      return_token_ids: true,
      num_candidates: 40,
      ...body,
    }),
  });
  return { status: response.status, answer: (await response.json()) as CompletionAnswer };
}
