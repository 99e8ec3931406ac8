/** How the playground's files are served, and that they are where they are looked for. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listenWhileLoading } from '../../src/server/listen.js';
import { playgroundPaths } from '../../src/server/playground/playground-route.js';
import { startFakeServer } from '../server/start-server.js';

const root = resolve(import.meta.dirname, '../..');
const source = join(root, 'src/server/playground/page');
const served = readdirSync(source).filter(name => name !== 'tsconfig.json');

describe('the playground’s files', () => {
  it('are served without a key, with a policy that lets nothing inline run', async () => {
    await using server = await startFakeServer({ apiKeys: ['secret'] });
    expect(playgroundPaths).toHaveLength(served.length);
    for (const path of playgroundPaths) {
      const response = await fetch(server.url + path);
      expect([path, response.status]).toEqual([path, 200]);
      const policy = response.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("require-trusted-types-for 'script'");
      expect(policy).not.toContain('unsafe');
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      await response.arrayBuffer();
    }
    expect((await fetch(`${server.url}/v1/models`)).status).toBe(401);
  });

  it('are not there where the server is told so', async () => {
    await using server = await startFakeServer({ disablePlayground: true });
    const statuses = playgroundPaths.map(async path => (await fetch(server.url + path)).status);
    expect(new Set(await Promise.all(statuses))).toEqual(new Set([404]));
    const loading = await listenWhileLoading({ host: '127.0.0.1', port: 0 }, { disablePlayground: true });
    expect((await fetch(loading.url)).status).toBe(503);
    await loading.close(0);
  });

  it('have their types, and the page is the whole file', async () => {
    await using server = await startFakeServer();
    const page = await fetch(server.url);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await page.text()).toBe(readFileSync(join(source, 'page.html'), 'utf8'));
    const types = ['page.js', 'page.css', 'icon.svg'].map(async name => {
      const response = await fetch(`${server.url}/playground/${name}`);
      return response.headers.get('content-type');
    });
    expect(await Promise.all(types)).toEqual([
      'text/javascript; charset=utf-8',
      'text/css; charset=utf-8',
      'image/svg+xml',
    ]);
  });

  it('are nothing but files of their folder', async () => {
    await using server = await startFakeServer();
    for (const path of ['/playground/tsconfig.json', '/playground/../app.js', '/playground/%2e%2e/app.js']) {
      expect((await fetch(server.url + path)).status).toBe(404);
    }
    const posted = await fetch(server.url, { method: 'POST' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('are copied by the build into a folder that is packed', () => {
    const target = mkdtempSync(join(tmpdir(), 'playground-'));
    try {
      execFileSync(process.execPath, [join(root, 'scripts/copy-playground.js'), target]);
      expect(readdirSync(target).sort()).toEqual([...served].sort());
    } finally {
      rmSync(target, { recursive: true });
    }
    const { scripts, files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(scripts.build).toContain('node scripts/copy-playground.js');
    expect(files).toContain('dist');
  });

  it('build nothing from HTML', () => {
    const scripts = served.filter(name => name.endsWith('.js'));
    const sinks = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|\beval\b|srcdoc/;
    expect(scripts.filter(name => sinks.test(readFileSync(join(source, name), 'utf8')))).toEqual([]);
    expect(readFileSync(join(source, 'page.html'), 'utf8')).not.toMatch(
      /\son\w+=|\sstyle=|<style|javascript:/i,
    );
  });
});
