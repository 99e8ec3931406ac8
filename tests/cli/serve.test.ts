/** `calm serve` as a process of its own: ready line, a port in use, and a shutdown under load. Needs a model package. */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { modelsFolder } from '../../src/cli/default-models.js';

const program = join(import.meta.dirname, '../../bin/calm.js');
const named = process.env.CALM_TEST_PACKAGE;
const hasModel = named !== undefined || existsSync(join(modelsFolder, 'default.json'));
const modelOptions = [
  ...(named ? ['--model', named] : []),
  '--device',
  'cpu',
  '--threads',
  '1',
  '--max-num-seqs',
  '4',
];

type Serving = ChildProcessByStdio<null, Readable, Readable>;
const started: Serving[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Starts a server and resolves with its base URL once it says that it is ready. */
async function serve(...args: string[]): Promise<{ child: Serving; url: string; ready: string }> {
  const child = spawn(process.execPath, [program, 'serve', '--port', '0', ...modelOptions, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let ready = '';
  for await (const part of child.stdout) {
    ready += part;
    if (ready.includes('curl')) break;
  }
  return { child, ready, url: /http:\/\/[\d.]+:\d+/.exec(ready)?.[0] ?? '' };
}

const exitCode = (child: Serving): Promise<number | null> =>
  new Promise(resolve => {
    child.once('exit', resolve);
  });

const complete = (url: string, body: object): Promise<Response> =>
  fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

const title = hasModel
  ? 'calm serve'
  : 'calm serve (skipped: there is no models/default.json, and CALM_TEST_PACKAGE names no package)';

describe.skipIf(!hasModel)(title, () => {
  it('says where it listens and how to call it, answers, and ends with 0 on SIGTERM', async () => {
    const { child, url, ready } = await serve();
    expect(ready).toMatch(/^Serving .+ on http:\/\/127\.0\.0\.1:\d+ \(ready in \d+\.\d s\)/);
    const answer = await complete(url, { prompt: 'Once', max_tokens: 4 });
    expect(await answer.json()).toMatchObject({ object: 'text_completion' });
    child.kill('SIGTERM');
    expect(await exitCode(child)).toBe(0);
  });

  it('lets a running stream finish after SIGTERM, and refuses what comes later', async () => {
    const { child, url } = await serve();
    const response = await complete(url, { prompt: 'Once', max_tokens: 300, ignore_eos: true, stream: true });
    const exited = exitCode(child);
    child.kill('SIGTERM');
    const body = await response.text();
    expect(body).toContain('"finish_reason":"length"');
    expect(body.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(await exited).toBe(0);
    await expect(complete(url, {})).rejects.toThrow();
  });

  it('ends running streams with an error event when their time is over', async () => {
    const { child, url } = await serve('--shutdown-timeout', '0');
    const body = {
      prompt: 'Once',
      max_tokens: 100_000,
      n: 64,
      temperature: 1,
      ignore_eos: true,
      stream: true,
    };
    const response = await complete(url, body);
    const exited = exitCode(child);
    child.kill('SIGINT');
    const text = await response.text();
    expect(text).toMatch(/data: \{"error":\{"message":"The server is shutting down/);
    expect(text).not.toContain('[DONE]');
    expect(await exited).toBe(0);
  });

  it('says so when the port is in use', async () => {
    const { url } = await serve();
    const { port } = new URL(url);
    const second = spawnSync(process.execPath, [program, 'serve', ...modelOptions, '--port', port], {
      encoding: 'utf8',
    });
    expect(second.stderr).toContain(`calm: Port ${port} on 127.0.0.1 is in use.`);
    expect(second.stderr).not.toMatch(/\n\s+at /);
    expect(second.status).toBe(1);
  });
});
