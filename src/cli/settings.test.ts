/** Where settings come from, which place wins, and what a wrong one is told. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { gatherApiKeys } from './api-keys.js';
import { writeConfigurationPage } from './configuration-page.js';
import { addModelOptions } from './model-options.js';
import { readSettings } from './read-settings.js';
import { addServeOptions } from './setting-options.js';
import { listSettings, type ServeSettings } from './settings.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-settings-'));

function write(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

/** Settings as `calm serve` reads them. */
function read(
  args: readonly string[],
  environment: Record<string, string> = {},
  fileContent?: unknown,
): ServeSettings {
  const command = addServeOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
  const { config, ...flags } = command.parse([...args], { from: 'user' }).opts();
  const file = fileContent === undefined ? config : write('calm.json', JSON.stringify(fileContent));
  return readSettings({ flags, environment, file });
}

describe('settings', () => {
  it('have defaults', () => {
    expect(read([])).toMatchObject({
      host: '127.0.0.1',
      port: 8000,
      device: 'auto',
      maxWaiting: 512,
      shutdownTimeout: 30,
      keepAliveTimeout: 75,
      requestTimeout: 0,
      sseKeepAliveInterval: 0,
      streamGranularity: 'chunk',
      disablePlayground: false,
      allowedOrigins: ['*'],
      strictParams: false,
      anyModel: false,
      maxBodySize: 4 * 2 ** 20,
    });
    expect(read([]).model).toBeUndefined();
    expect(read(['-m', 'a', '--model', 'b']).model).toEqual(['a', 'b']);
  });

  it('come from a flag before the environment, and from there before a file', () => {
    const environment = { CALM_PORT: '2', CALM_HOST: '10.0.0.2' };
    const file = { port: 3, host: '10.0.0.3', 'max-waiting': 3 };
    expect(read(['--port', '1'], environment, file)).toMatchObject({
      port: 1,
      host: '10.0.0.2',
      maxWaiting: 3,
      maxBodySize: 4 * 2 ** 20,
    });
  });

  it('mean the same in every place', () => {
    const expected = {
      port: 9,
      model: ['a', 'b'],
      kvCacheMemory: 2 ** 31,
      strictParams: true,
      allowedOrigins: ['http://a', 'http://b'],
      disableAccessLogFor: ['/health', '/metrics'],
      device: 'cpu',
      drawsPerStep: 48,
      exactDrawLimit: 900,
    };
    const flags =
      '--port 9 --model a --model b --kv-cache-memory 2GiB --strict-params --allowed-origins http://a,http://b ' +
      '--disable-access-log-for /health --disable-access-log-for /metrics --device cpu ' +
      '--draws-per-step 48 --exact-draw-limit 900';
    expect(read(flags.split(' '))).toMatchObject(expected);
    const environment = {
      CALM_PORT: '9',
      CALM_MODEL: 'a, b',
      CALM_KV_CACHE_MEMORY: '2GiB',
      CALM_STRICT_PARAMS: '1',
      CALM_ALLOWED_ORIGINS: 'http://a,http://b',
      CALM_DISABLE_ACCESS_LOG_FOR: '/health,/metrics',
      CALM_DEVICE: 'cpu',
      CALM_DRAWS_PER_STEP: '48',
      CALM_EXACT_DRAW_LIMIT: '900',
    };
    expect(read([], environment)).toMatchObject(expected);
    const file = {
      port: 9,
      model: ['a', 'b'],
      'kv-cache-memory': 2 ** 31,
      'strict-params': true,
      'allowed-origins': ['http://a', 'http://b'],
      'disable-access-log-for': ['/health', '/metrics'],
      device: 'cpu',
      'draws-per-step': 48,
      'exact-draw-limit': 900,
    };
    expect(read([], {}, file)).toMatchObject(expected);
  });

  it('know the flag of llama-server that leaves the playground out, before the environment and a file', () => {
    expect(read(['--no-ui']).disablePlayground).toBe(true);
    const off = { CALM_DISABLE_PLAYGROUND: 'false' };
    expect(read(['--no-ui'], off, { 'disable-playground': false }).disablePlayground).toBe(true);
    expect(read([], off).disablePlayground).toBe(false);
  });

  it('take an empty variable for none, and false for off', () => {
    expect(read([], { CALM_PORT: '', CALM_STRICT_PARAMS: 'false' })).toMatchObject({
      port: 8000,
      strictParams: false,
    });
  });

  it('are read from the file that CALM_CONFIG names, or --config before it', () => {
    const first = write('first.json', '{"port": 11}');
    const second = write('second.json', '{"port": 12}');
    expect(read([], { CALM_CONFIG: first }).port).toBe(11);
    expect(read(['--config', second], { CALM_CONFIG: first }).port).toBe(12);
  });

  it.each<[string, string[], Record<string, string>, unknown, RegExp]>([
    [
      'a flag',
      ['--port', '70000'],
      {},
      {},
      /^--port must be a whole number from 0 to 65535\. Given: "70000"\.$/,
    ],
    [
      'a variable',
      [],
      { CALM_THREADS: 'many' },
      {},
      /^CALM_THREADS must be a whole number .+ Given: "many"\.$/,
    ],
    [
      'a short silence',
      ['--sse-keep-alive-interval', '5'],
      {},
      {},
      /^--sse-keep-alive-interval must be 0 or a whole number from 15 to 86400\. Given: "5"\.$/,
    ],
    ['a switch', [], { CALM_STRICT_PARAMS: 'maybe' }, {}, /^CALM_STRICT_PARAMS must be true or false/],
    ['a file', [], {}, { 'max-waiting': -1 }, /^"max-waiting" in .+calm\.json must be .+ Given: -1\.$/],
    ['an array of numbers', [], {}, { model: [1] }, /^"model" in .+ must be .+ Given: \[1\]\.$/],
    ['a choice', [], { CALM_DEVICE: 'tpu' }, {}, /^CALM_DEVICE must be auto, cpu or cuda/],
    ['an unknown key', [], {}, { prot: 1 }, /names a setting "prot", which there is not\. There are .*port/],
    ['a file that is no object', [], {}, [1], /must hold one JSON object/],
  ])('refuse %s in one sentence that names the place', (_, args, environment, file, sentence) => {
    expect(() => read(args, environment, file)).toThrow(sentence);
  });

  it('are read from YAML too, where the name of the file says so', () => {
    const text =
      '# ours\nport: 9 # not 8000\nmodel: [a, b]\nkv-cache-memory: 2GiB\nstrict-params: true\n' +
      'allowed-origins:\n  - http://a\n  - http://b\nhost:\n';
    const expected = {
      port: 9,
      model: ['a', 'b'],
      kvCacheMemory: 2 ** 31,
      strictParams: true,
      allowedOrigins: ['http://a', 'http://b'],
      host: '127.0.0.1',
    };
    for (const name of ['calm.yaml', 'calm.YML']) {
      expect(read(['--config', write(name, text)])).toMatchObject(expected);
    }
    expect(read(['--config', write('comments.yaml', '# port: 9\n')]).port).toBe(8000);
    const key = write('norway.yaml', 'api-key: [no, on]\n');
    expect(read(['--config', key]).apiKey).toEqual(['no', 'on']);
  });

  it.each([
    ['none.yaml', null, /^The configuration file .+none\.yaml cannot be read: ENOENT.+\.$/],
    [
      'value.yaml',
      'port: many\n',
      /^"port" in .+value\.yaml must be a whole number from 0 to 65535\. Given: "many"\.$/,
    ],
    [
      'unknown.yml',
      'prot: 1\n',
      /unknown\.yml names a setting "prot", which there is not\. There are .*port/,
    ],
    [
      'list.yaml',
      '- port\n',
      /list\.yaml must hold one mapping of settings to values, such as `port: 9000`\.$/,
    ],
    ['broken.yaml', 'host: a\nport: [1\n', /broken\.yaml is not valid YAML: .+ at line [23], column \d+\.$/],
    [
      'twice.yaml',
      'port: 1\nport: 2\n',
      /twice\.yaml is not valid YAML: Map keys must be unique at line 2, column 1\.$/,
    ],
    [
      'several.yaml',
      'port: 1\n---\nport: 2\n',
      /several\.yaml is not valid YAML: it holds several documents; keep one\.$/,
    ],
    [
      'tag.yaml',
      'port: !secret 1\n',
      /tag\.yaml is not valid YAML: Unresolved tag: !secret at line 1[^\n]*\.$/,
    ],
    ['alias.yaml', 'port: *other\n', /alias\.yaml is not valid YAML: Unresolved alias[^\n]*other[^\n]*\.$/],
  ])('in YAML are refused like those in JSON: %s', (name, text, sentence) => {
    const file = text === null ? join(folder, name) : write(name, text);
    expect(() => read(['--config', file])).toThrow(sentence);
  });

  it('say what is wrong with a file', () => {
    expect(() => read(['--config', join(folder, 'none.json')])).toThrow(/cannot be read: ENOENT/);
    expect(() => read(['--config', write('broken.json', '{"port":')])).toThrow(/is not valid JSON/);
  });

  it('have a description and a name of their own each', () => {
    const settings = listSettings();
    expect(new Set(settings.map(({ variable }) => variable)).size).toBe(settings.length);
    for (const { about, mustBe } of settings)
      expect([about.length > 10, mustBe.length > 3]).toEqual([true, true]);
  });
});

describe('model options of other commands', () => {
  const parse = (...args: string[]) =>
    addModelOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }))
      .parse(args, { from: 'user' })
      .opts();

  it('are as many as a command names, with its own default', () => {
    const command = addModelOptions(new Command(), ['device', 'ortLibrary'], { device: 'cpu' });
    expect(command.options.map(({ long }) => long)).toEqual(['--device', '--ort-library']);
    expect(command.parse([], { from: 'user' }).opts()).toEqual({ device: 'cpu' });
  });

  it('are the same settings', () => {
    expect(parse()).toEqual({ device: 'auto' });
    expect(parse('--threads', '2', '--kv-cache-memory', '1MiB')).toEqual({
      device: 'auto',
      threads: 2,
      kvCacheMemory: 2 ** 20,
    });
    expect(() => parse('--threads', '0')).toThrow(/whole number from 1 to 1024/);
    expect(() => parse('--device', 'tpu')).toThrow(/Allowed choices are auto, cpu, cuda/);
  });
});

describe('API keys', () => {
  it('come from settings and from a file, each once', () => {
    const apiKeyFile = write('keys', '# ours\nfirst\n\n  second  \r\nfirst\n');
    expect(gatherApiKeys({ apiKey: ['zero', 'second'], apiKeyFile })).toEqual(['zero', 'second', 'first']);
    expect(gatherApiKeys({})).toEqual([]);
  });

  it('never leave a server open by mistake', () => {
    expect(() => gatherApiKeys({ apiKeyFile: join(folder, 'no-keys') })).toThrow(/cannot be read: ENOENT/);
    expect(() => gatherApiKeys({ apiKeyFile: write('empty', '# none yet\n') })).toThrow(/holds no key/);
    expect(() => gatherApiKeys({ apiKey: ['two words'] })).toThrow(/printable ASCII/);
    expect(() => read(['--api-key', ''])).toThrow(/^--api-key must be a key/);
  });
});

describe('docs/configuration.md', () => {
  it('is what `npm run docs` writes', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
    expect(page).toBe(writeConfigurationPage());
  });
});
