/** `calm serve` as an operator runs it: settings from every place, keys, the log, two signals. Needs a model package. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { defaultModels, modelsFolder } from '../../src/cli/default-models.js';

const program = join(import.meta.dirname, '../../bin/calm.js');
const named = process.env.CALM_TEST_PACKAGE;
const hasModel = named !== undefined || existsSync(join(modelsFolder, 'default.json'));

interface Serving {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly url: string;
  /** Lines on standard error so far. */
  readonly lines: () => string[];
  readonly exitCode: Promise<number | null>;
}

const started: Serving['child'][] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Starts a server with settings in the environment and a file, and resolves when it says that it is ready. */
async function serve(
  environment: Record<string, string>,
  file: object,
  ...flags: string[]
): Promise<Serving> {
  const config = join(mkdtempSync(join(tmpdir(), 'calm-serve-')), 'calm.json');
  writeFileSync(
    config,
    // One model, though several come with the program: the tests count what one server shows of it.
    JSON.stringify({ model: named ?? defaultModels()[0], port: 0, device: 'cpu', ...file }),
  );
  const child = spawn(process.execPath, [program, 'serve', '--config', config, '--threads', '1', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  started.push(child);
  let errors = '';
  child.stderr.on('data', part => {
    errors += part;
  });
  const exitCode = new Promise<number | null>(resolve => child.once('exit', resolve));
  let ready = '';
  for await (const part of child.stdout) {
    ready += part;
    if (ready.includes('curl')) break;
  }
  const url = /http:\/\/[\d.]+:\d+/.exec(ready)?.[0] ?? '';
  return { child, url, exitCode, lines: () => errors.trim().split('\n') };
}

const title = hasModel
  ? 'an operator of calm serve'
  : 'an operator of calm serve (skipped: there is no models/default.json, and CALM_TEST_PACKAGE names no package)';

describe.skipIf(!hasModel)(title, () => {
  it('sets keys in every place, a flag before a variable before a file, and gets a JSON line for each request', async () => {
    const keyFile = join(mkdtempSync(join(tmpdir(), 'calm-serve-')), 'keys');
    writeFileSync(keyFile, '# from the file\nfour\n');
    const { child, url, exitCode, lines } = await serve(
      { CALM_API_KEY: 'one,two', CALM_MAX_NUM_SEQS: '3', CALM_MAX_MODEL_LEN: '32' },
      {
        'max-num-seqs': 4,
        'max-model-len': 64,
        'api-key-file': keyFile,
        'model-alias': [],
        'any-model': true,
        'disable-access-log-for': ['/health'],
      },
      '--max-num-seqs',
      '2',
    );
    const call = (path: string, key: string | null, body?: object) =>
      fetch(url + path, {
        ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
        headers: {
          'content-type': 'application/json',
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        },
      });
    const health = await (await call('/health', null)).json();
    expect(health).toMatchObject({ status: 'ok', models: [{ slots: 2 }] });
    expect(await (await call('/version', 'four')).json()).toMatchObject({
      onnxruntime: expect.stringMatching(/^1\./),
    });
    expect((await call('/v1/models', 'three')).status).toBe(401);
    const models = await (await call('/v1/models', 'four')).json();
    expect(models).toMatchObject({ data: [{ max_model_len: 32 }] });
    const prompt = { model: 'gpt-3.5-turbo-instruct', prompt: 'A secret', max_tokens: 4, ignore_eos: true };
    const answer = await (await call('/v1/completions', 'two', prompt)).json();
    expect(answer).toMatchObject({ usage: { completion_tokens: 4 } });
    const metrics = await (await call('/metrics', 'one')).text();
    expect(metrics).toMatch(/^vllm:generation_tokens_total\{.+\} 4$/m);
    expect(metrics).toMatch(/^process_resident_memory_bytes \d+/m);
    child.kill('SIGTERM');
    expect(await exitCode).toBe(0);
    const requests = lines()
      .map(line => JSON.parse(line))
      .filter(({ msg }) => msg === 'request');
    expect(requests.map(({ path, status }) => [path, status])).toEqual([
      ['/version', 200],
      ['/v1/models', 401],
      ['/v1/models', 200],
      ['/v1/completions', 200],
      ['/metrics', 200],
    ]);
    expect(requests[3]).toMatchObject({ generated_tokens: 4, finish_reasons: { length: 1 }, aborted: false });
    expect(lines().join('\n')).not.toMatch(/secret|"two"|"three"|"four"/);
  });

  it('ends a long answer at the second signal, with 0', async () => {
    const { child, url, exitCode, lines } = await serve({}, { 'shutdown-timeout': 600, 'max-num-seqs': 4 });
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'Once', max_tokens: 100_000, n: 128, ignore_eos: true, stream: true }),
    });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    child.kill('SIGTERM');
    let text = '';
    let isSecondSent = false;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
      if (!isSecondSent && lines().some(line => line.includes('no new requests'))) {
        isSecondSent = child.kill('SIGTERM');
      }
    }
    expect(text).toMatch(/data: \{"error":\{"message":"The server is shutting down/);
    expect(await exitCode).toBe(0);
  });
});
