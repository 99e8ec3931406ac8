/** Runs one completion and prints it. */
import { randomUUID } from 'node:crypto';
import { TokenNames } from '../server/answers/token-names.js';
import { collectCompletion } from '../server/completions/completion-response.js';
import { completionSchema } from '../server/completions/completion-schema.js';
import { toCompletionGeneration } from '../server/completions/to-completion-generation.js';
import { type ChoiceDelta, startCompletion } from '../server/generation/completion-run.js';
import type { Generation } from '../server/generation/generation.js';
import { parseBody } from '../server/http/parse-body.js';
import type { ServedModel } from '../server/models/served-model.js';
import { defaultModels } from './default-models.js';
import type { ModelOptions } from './model-options.js';
import { openModels } from './open-models.js';

/** Values of `calm generate`'s options. */
export interface GenerateOptions extends ModelOptions {
  readonly model?: string;
  readonly prompt?: string;
  readonly promptIds?: readonly number[];
  readonly maxTokens: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly numCandidates?: number;
  readonly sampler?: string;
  readonly temperatureLaw?: string;
  readonly promptAlignment?: string;
  readonly echo?: boolean;
  readonly json?: boolean;
  /** Undefined: as the terminal is. */
  readonly stream?: boolean;
}

/** Prints the completion on standard output and its speed on standard error. */
export async function generate(options: GenerateOptions): Promise<void> {
  const name = options.model ?? (defaultModels()[0] as string);
  await using opened = openModels([{ model: name }], {
    ...options,
    maxNumSeqs: options.maxNumSeqs ?? 1,
    onNote: log,
  });
  const [model] = opened.models;
  const generation = toCompletionGeneration(readBody(options), model);
  const startedMs = performance.now();
  const deltas = startCompletion(model, generation, new AbortController());
  const tokenCount = options.json
    ? await printJson(deltas, model, generation)
    : await printText(deltas, model, options.stream ?? process.stdout.isTTY);
  const seconds = (performance.now() - startedMs) / 1000;
  log(`${tokenCount} tokens in ${seconds.toFixed(2)} s (${(tokenCount / seconds).toFixed(0)} tokens/s)`);
}

function readBody(options: GenerateOptions) {
  return parseBody(completionSchema, {
    prompt: options.promptIds ?? options.prompt ?? null,
    max_tokens: options.maxTokens,
    temperature: options.temperature,
    seed: options.seed,
    num_candidates: options.numCandidates,
    sampler: options.sampler,
    temperature_law: options.temperatureLaw,
    prompt_alignment: options.promptAlignment,
    echo: options.echo,
  });
}

async function printJson(
  deltas: AsyncIterable<ChoiceDelta>,
  model: ServedModel,
  generation: Generation,
): Promise<number> {
  const head = {
    id: `cmpl-${randomUUID()}`,
    object: 'text_completion' as const,
    created: Math.floor(Date.now() / 1000),
    model: model.id,
  };
  const tokenNames = new TokenNames(model.encoding, false);
  const options = { returnTokenIds: true, tokenNames, model, includeUsage: true, continuousUsage: false };
  const answer = await collectCompletion(deltas, head, generation, options);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  return answer.usage?.completion_tokens ?? 0;
}

/** A model without a tokenizer has ids to show instead of text. */
async function printText(
  deltas: AsyncIterable<ChoiceDelta>,
  model: ServedModel,
  isStreaming: boolean,
): Promise<number> {
  let held = '';
  let tokenCount = 0;
  for await (const delta of deltas) {
    tokenCount += delta.tokenIds.length;
    const shown = model.encoding ? delta.text : delta.tokenIds.map(id => `${id} `).join('');
    if (isStreaming) process.stdout.write(shown);
    else held += shown;
  }
  process.stdout.write(`${held}\n`);
  return tokenCount;
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}
