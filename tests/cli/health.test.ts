/** `calm health`, and that the Dockerfile's check finds the server by whatever its address was set. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { modelsFolder } from '../../src/cli/default-models.js';
import { readServeFlags } from '../../src/cli/health/serve-flags.js';
import { startFakeServer } from '../server/start-server.js';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'bin/calm.js');
const fixtures = join(import.meta.dirname, '../fixtures/tls');
const named = process.env.CALM_TEST_PACKAGE;
const hasModel = named !== undefined || existsSync(join(modelsFolder, 'default.json'));
const hasProc = existsSync('/proc/self/cmdline');

/** Runs beside this process, which may be the server that is asked. */
async function run(words: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, words, { cwd: root, env: { ...process.env, ...environment } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', part => (text += part));
  const [code] = await once(child, 'close');
  return { code, text };
}

/** A port that was free a moment ago: the flag is to name it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The words of the Dockerfile's check, about another process than the first. */
function checkOfContainer(pid: number): string[] {
  const [, line] =
    /HEALTHCHECK [^\n]*\n +CMD (.*)/.exec(readFileSync(join(root, 'Dockerfile'), 'utf8')) ?? [];
  const [node, ...words] = JSON.parse(line ?? '[]') as string[];
  expect([node, words.at(-1)]).toEqual(['node', '1']);
  return [...words.slice(0, -1), String(pid)];
}

async function untilReady(child: ChildProcess): Promise<void> {
  for await (const line of createInterface(child.stdout!)) if (line.includes('(ready in')) return;
  throw new Error('the server ended before it was ready');
}

describe('calm health', () => {
  it('ends with 0 where requests are taken, and with 1 and a sentence where they are not', async () => {
    const server = await startFakeServer();
    const { port } = new URL(server.url);
    const health = [program, 'health', '--port', port];
    const url = `http://127.0.0.1:${port}/readyz`;
    expect(await run(health)).toEqual({ code: 0, text: `${url} answered with 200.\n` });
    expect(await run([program, 'health'], { CALM_PORT: port })).toMatchObject({ code: 0 });
    server.lifecycle.drain();
    expect(await run(health)).toEqual({ code: 1, text: `${url} answered with 503.\n` });
    await server[Symbol.asyncDispose]();
    const { code, text } = await run(health);
    expect(code).toBe(1);
    expect(text).toContain(`calm: ${url} does not answer: connect ECONNREFUSED`);
  });

  it.skipIf(!hasProc)('reads the options of a server that runs, also behind an init', async () => {
    const flags = ['--config', 'calm.yaml', '--port', '9000', '--model', 'a', '-m', 'b'];
    const waiting = ['-e', 'process.stdin.resume()', '--'];
    const behindInit = spawn(process.execPath, [...waiting, 'node', 'bin/calm.js', 'serve', ...flags]);
    const other = spawn(process.execPath, [...waiting, 'serve', ...flags]);
    try {
      expect(readServeFlags(behindInit.pid!)).toMatchObject({
        config: 'calm.yaml',
        port: '9000',
        model: ['a', 'b'],
      });
      expect(readServeFlags(other.pid!)).toEqual({});
    } finally {
      behindInit.kill();
      other.kill();
    }
    const { status, stderr } = spawnSync(
      process.execPath,
      [program, 'health', '--like-process', '999999999'],
      {
        encoding: 'utf8',
      },
    );
    expect([status, stderr]).toEqual([
      2,
      'calm: --like-process must be a process of this Linux system that this user may look at. Given: 999999999.\n',
    ]);
  });
});

const title = hasModel
  ? "the container's health check"
  : "the container's health check (skipped: there is no models/default.json, and CALM_TEST_PACKAGE names no package)";

describe.skipIf(!hasModel || !hasProc)(title, () => {
  it('finds a server whose certificate and port are flags', async () => {
    const port = await freePort();
    const tls = [
      '--ssl-certfile',
      join(fixtures, 'certificate.pem'),
      '--ssl-keyfile',
      join(fixtures, 'key.pem'),
    ];
    const options = ['--port', String(port), '--device', 'cpu', '--threads', '1', ...tls];
    const child = spawn(
      process.execPath,
      [program, 'serve', ...(named ? ['--model', named] : []), ...options],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    // What the image sets, whatever the flags say.
    const environment = { CALM_HOST: '0.0.0.0', CALM_PORT: '8000' };
    try {
      await untilReady(child);
      const { code, text } = await run(checkOfContainer(child.pid!), environment);
      expect([code, text]).toEqual([0, `https://127.0.0.1:${port}/readyz answered with 200.\n`]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
