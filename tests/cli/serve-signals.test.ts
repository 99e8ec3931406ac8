/** `calm serve` told to go while it is busy: under more load than it has slots, and while it loads. Needs a model. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { modelsFolder } from '../../src/cli/default-models.js';
import { until } from '../server/until.js';

const program = join(import.meta.dirname, '../../bin/calm.js');
const named = process.env.CALM_TEST_PACKAGE;
const hasModel = named !== undefined || existsSync(join(modelsFolder, 'default.json'));
const slots = 4;

type Serving = ChildProcessByStdio<null, Readable, Readable>;
const started: Serving[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

function start(port: number, ...args: string[]): Serving {
  const options = ['--port', String(port), '--device', 'cpu', '--threads', '1', ...args];
  const child = spawn(
    process.execPath,
    [program, 'serve', ...(named ? ['--model', named] : []), ...options],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  started.push(child);
  return child;
}

async function readUrl(child: Serving): Promise<string> {
  let ready = '';
  for await (const part of child.stdout) {
    ready += part;
    if (ready.includes('curl')) break;
  }
  return /http:\/\/[\d.]+:\d+/.exec(ready)?.[0] ?? '';
}

/** Code and signal with which the process ended: a process that a signal killed has no code. */
const ending = (child: Serving): Promise<{ code: number | null; signal: string | null }> =>
  new Promise(resolve => child.once('exit', (code, signal) => resolve({ code, signal })));

/** A port that was free a moment ago, for who must know it before the server says it. */
function findFreePort(): Promise<number> {
  return new Promise(resolve => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

interface Answer {
  readonly status: number;
  readonly isStream: boolean;
  readonly text: string;
}

/** What a client may be left with: an answer that is complete, or an error that says why it is not. */
function judge({ status, isStream, text }: Answer): 'complete' | 'told' | `broken: ${string}` {
  if (status === 503) return text.includes('shutting_down') ? 'told' : `broken: ${text}`;
  if (status !== 200) return `broken: ${status}`;
  if (!isStream) return text.includes('"finish_reason":"length"') ? 'complete' : `broken: ${text}`;
  if (text.endsWith('data: [DONE]\n\n')) return 'complete';
  return /data: \{"error":.*"shutting_down"\}\}\n\n$/.test(text) ? 'told' : `broken: ${text.slice(-200)}`;
}

const title = hasModel
  ? 'SIGTERM'
  : 'SIGTERM (skipped: there is no models/default.json, and CALM_TEST_PACKAGE names no package)';

describe.skipIf(!hasModel)(title, () => {
  it('under load leaves nobody without an end: an answer is complete or says why not, and the code is 0', async () => {
    const child = start(0, '--max-num-seqs', String(slots), '--shutdown-timeout', '1');
    const url = await readUrl(child);
    const exited = ending(child);
    const ask = async (isStream: boolean, maxTokens: number): Promise<Answer> => {
      const response = await fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          prompt: 'Once',
          max_tokens: maxTokens,
          temperature: 1,
          seed: 1,
          ignore_eos: true,
          stream: isStream,
        }),
      });
      return { status: response.status, isStream, text: await response.text() };
    };
    // Some 20,000 tokens: far more than a second can bring.
    const answers = Array.from({ length: 10 * slots }, (_, index) => ask(index % 2 === 0, 100_000));
    await until(async () => {
      const health = (await (await fetch(`${url}/health`)).json()) as { models: { waiting: number }[] };
      return health.models.some(({ waiting }) => waiting >= 8 * slots);
    });
    child.kill('SIGTERM');
    const ends = (await Promise.all(answers)).map(judge);
    expect(ends.filter(end => end.startsWith('broken'))).toEqual([]);
    expect(ends).toContain('told');
    expect(await exited).toEqual({ code: 0, signal: null });
  });

  it('while it loads ends it with 0', async () => {
    const port = await findFreePort();
    const child = start(port);
    const exited = ending(child);
    const isLoading = async (): Promise<boolean> => {
      const status = await fetch(`http://127.0.0.1:${port}/readyz`).then(
        response => response.status,
        () => null,
      );
      return status !== null;
    };
    await until(isLoading);
    child.kill('SIGTERM');
    expect(await exited).toEqual({ code: 0, signal: null });
  });
});
