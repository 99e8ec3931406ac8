/** `calm eval` on a package that reads bytes: what it prints, and one sentence for everything it cannot use. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.js';
import { byteRanks, TEST_PATTERN } from '../byte-encoding.js';
import { editManifest, GoldenPackages } from '../golden-package.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-eval-'));
const packages = new GoldenPackages();
afterAll(() => {
  packages.remove();
  rmSync(folder, { recursive: true });
});
afterEach(() => vi.restoreAllMocks());

let calm = '';
let token = '';
let speechless = '';

beforeAll(() => {
  speechless = packages.convert('energy-k2-bin-bf16', 'fp32');
  calm = withTokenizer(speechless, 'calm');
  token = withTokenizer(packages.convert('llama-tied-gqa', 'fp32'), 'token');
});

function withTokenizer(source: string, name: string): string {
  const target = join(folder, name);
  mkdirSync(target);
  cpSync(source, target, { recursive: true });
  writeFileSync(join(target, 'tokenizer.model'), byteRanks());
  const tokenizer = { file: 'tokenizer.model', pattern: TEST_PATTERN, special_tokens: {} };
  editManifest(target, manifest => Object.assign(manifest, { name, tokenizer }));
  return target;
}

function data(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Runs the command; gives what it wrote. */
async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation(text => {
      written[stream] += String(text);
      return true;
    });
  }
  await createProgram().parseAsync(['eval', '--threads', '1', '--device', 'cpu', ...args], { from: 'user' });
  return written;
}

const story = 'There was a cat and a dog.\n<|endoftext|>\nThe end of the day came.\n<|endoftext|>\nab\n';

it('prints one JSON object with the figures of a CALM', async () => {
  const file = data('a.txt', story);
  const { stdout, stderr } = await run('--model', calm, '--data', file, '--json', '--samples', '2');
  expect(JSON.parse(stdout)).toEqual({
    model: 'calm',
    data: file,
    brierlm: expect.any(Number),
    brierlm_stderr: null,
    brier: [expect.any(Number), expect.any(Number), expect.any(Number), expect.any(Number)],
    autoencoder_accuracy: expect.any(Number),
    autoencoder_accuracy_clean: expect.any(Number),
    autoencoder_accuracy_random: expect.any(Number),
    flops_per_token: expect.any(Number),
    flops_per_token_parts: expect.objectContaining({ decoder: expect.any(Number) }),
    // 26 and 24 bytes; the document of 2 bytes has no position.
    tokens: 50,
    document_tokens: null,
    documents: 2,
    positions: 6 + 6,
    samples: 2,
    block_tokens: 128,
    stride: 4,
  });
  expect(stderr).toMatch(/of 52 tokens after/);
});

it('scores a token model at the same places, without an autoencoder', async () => {
  const { stdout } = await run('--model', token, '--data', data('b.jsonl', jsonLines()), '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    autoencoder_accuracy: null,
    autoencoder_accuracy_clean: null,
    autoencoder_accuracy_random: null,
    positions: 12,
    samples: 2,
    block_tokens: 64,
  });
});

it('takes only the first tokens of each document where that is wanted', async () => {
  const file = data('first.txt', story);
  const { stdout } = await run('--model', calm, '--data', file, '--document-tokens', '9', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    document_tokens: 9,
    tokens: 18,
    documents: 2,
    positions: 2 + 2,
  });
  const text = (await run('--model', calm, '--data', file, '--document-tokens', '9')).stdout;
  expect(text).toContain(`in 18 tokens of ${file}, the first 9 of each document\n`);
});

it('compares models on one text: the first over each of the others', async () => {
  const file = data('pair.txt', story.repeat(4));
  const { stdout } = await run('--model', calm, '--model', token, '--data', file, '--json');
  const { evaluations, comparisons } = JSON.parse(stdout);
  expect(evaluations.map((each: { model: string }) => each.model)).toEqual(['calm', 'token']);
  // The token model's context is the shorter one.
  for (const each of evaluations) expect(each).toMatchObject({ block_tokens: 64, stride: 4, positions: 51 });
  expect(comparisons).toEqual([
    {
      model: 'calm',
      reference: 'token',
      ratio: expect.toSatisfy(isNumberOrNull),
      ratio_stderr: expect.toSatisfy(isNumberOrNull),
    },
  ]);
  const text = (await run('--model', token, '--model', token, '--data', file)).stdout;
  expect(text).toMatch(/^token\nBrierLM [\s\S]+\n\ntoken\nBrierLM [\s\S]+\n\ntoken over token: /);
});

const isNumberOrNull = (value: unknown): boolean => value === null || typeof value === 'number';

it('refuses to compare models that read the text as different tokens', async () => {
  const other = withTokenizer(speechless, 'other');
  writeFileSync(join(other, 'tokenizer.model'), byteRanks(['th']));
  await expect(
    run('--model', calm, '--model', other, '--data', data('f.txt', 'the thin thatch')),
  ).rejects.toThrow(
    'calm and other read this text as different tokens, so their scores cannot be compared; evaluate them one by one.',
  );
});

function jsonLines(): string {
  return story
    .split('\n<|endoftext|>\n')
    .map(text => JSON.stringify({ text }))
    .join('\n');
}

it('prints lines for people, and stops after --max-tokens', async () => {
  const { stdout } = await run('--model', calm, '--data', data('c.txt', story), '--max-tokens', '30');
  expect(stdout).toMatch(/^BrierLM {6}\d/);
  expect(stdout).toMatch(/scored {7}7 positions 4 tokens apart in 30 tokens of /);
  expect(stdout).toMatch(/with {9}blocks of 128 tokens, 4 samples a position/);
  expect(stdout).toMatch(/autoencoder {2}\S+ % of tokens .*, \S+ % without, \S+ % of random ones\n/);
});

it.each<[string, () => string[], RegExp]>([
  ['no data', () => ['--model', calm], /required option '--data <file>' not specified/],
  ['a missing file', () => ['--model', calm, '--data', join(folder, 'no.txt')], /no\.txt does not exist; /],
  ['an empty file', () => ['--model', calm, '--data', data('empty.txt', '')], /holds no text; /],
  ['bytes', () => ['--model', calm, '--data', data('bytes.txt', Uint8Array.of(0xff))], /is not UTF-8 text; /],
  [
    'text of less than one n-gram',
    () => ['--model', calm, '--data', data('ab.txt', 'ab')],
    /^The text is too short: its longest document has 2 tokens, and a scored position takes 4\.$/,
  ],
  [
    'a package without tokenizer',
    () => ['--model', speechless, '--data', data('d.txt', story)],
    /has no tokenizer, so it cannot read text; convert the model again with --tokenizer\.$/,
  ],
  [
    'a block that K does not divide',
    () => ['--model', calm, '--data', data('e.txt', story), '--block', '27'],
    /^A block of 27 tokens does not work .* must be a multiple of 4 from 4 to 128\.$/,
  ],
  ['one sample', () => ['--model', calm, '--data', 'x', '--samples', '1'], /whole number from 2 to 1024/],
  [
    'a server without tokenizer',
    () => ['--url', 'http://h', '--data', 'x'],
    /^--url needs --tokenizer-from, /,
  ],
  ['both', () => ['--url', 'http://h', '--model', calm, '--data', 'x'], /with --url, not both\.$/],
])('refuses %s with one sentence', async (_, args, sentence) => {
  await expect(run(...args())).rejects.toThrow(sentence);
});
