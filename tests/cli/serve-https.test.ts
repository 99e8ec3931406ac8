/** `calm serve` with a certificate: the address that it prints, an answer over TLS, and how it refuses wrong files. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { modelsFolder } from '../../src/cli/default-models.js';

const program = join(import.meta.dirname, '../../bin/calm.js');
const fixtures = join(import.meta.dirname, '../fixtures/tls');
const certificate = join(fixtures, 'certificate.pem');
const key = join(fixtures, 'key.pem');
const named = process.env.CALM_TEST_PACKAGE;
const hasModel = named !== undefined || existsSync(join(modelsFolder, 'default.json'));

function start(environment: Record<string, string>, ...args: string[]) {
  const options = ['--port', '0', '--device', 'cpu', '--threads', '1', ...args];
  return spawn(process.execPath, [program, 'serve', ...(named ? ['--model', named] : []), ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
}

function getStatus(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { ca: readFileSync(certificate), agent: false };
    request(url, options, response => resolve(response.resume().statusCode))
      .once('error', reject)
      .end();
  });
}

const title = hasModel
  ? 'calm serve with a certificate'
  : 'calm serve with a certificate (skipped: there is no models/default.json, and CALM_TEST_PACKAGE names no package)';

describe.skipIf(!hasModel)(title, () => {
  it('says https in the line that it prints, answers there, and goes when it is told to', async () => {
    const child = start({ CALM_SSL_KEYFILE: key }, '--ssl-certfile', certificate);
    const exitCode = new Promise(resolve => child.once('exit', resolve));
    try {
      let ready = '';
      for await (const part of child.stdout) {
        ready += part;
        if (ready.includes('curl')) break;
      }
      expect(ready).toMatch(/^Serving .+ on https:\/\/127\.0\.0\.1:\d+ .+\n {2}curl -kN https:/);
      const url = /https:\/\/[\d.]+:\d+/.exec(ready)?.[0] ?? '';
      expect(await getStatus(`${url}/readyz`)).toBe(200);
      child.kill('SIGTERM');
      expect(await exitCode).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('exits with 2 and one sentence where the certificate is missing', async () => {
    const child = start({}, '--ssl-keyfile', key);
    let errors = '';
    child.stderr.on('data', part => {
      errors += part;
    });
    expect(await new Promise(resolve => child.once('close', resolve))).toBe(2);
    expect(errors).toBe(
      'calm: --ssl-keyfile and --ssl-certfile go together. Given: only --ssl-keyfile; give --ssl-certfile too, or ' +
        'neither.\n',
    );
  });
});
