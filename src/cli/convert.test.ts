import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { goldenFolder } from '../../tests/reference/golden-file.js';
import { registerConvert } from './convert.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-convert-command-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/** What the command prints on standard output. */
async function convert(...args: string[]): Promise<string> {
  const program = new Command().exitOverride().configureOutput({ writeErr() {} });
  registerConvert(program);
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr() {} });
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await program.parseAsync(['convert', ...args], { from: 'user' });
  return log.mock.calls.flat().join('\n');
}

const checkpoint = goldenFolder('energy-k4', 'checkpoint');
const autoencoder = goldenFolder('energy-k4', 'autoencoder');

test('--json prints one object with the errors of the quantization', async () => {
  const out = join(folder, 'small');
  const printed = await convert(checkpoint, '--autoencoder', autoencoder, '--out', out, '--json');
  const report = JSON.parse(printed);
  expect(report).toMatchObject({
    out,
    name: 'small',
    kind: 'calm',
    weight_type: 'int8',
    activation_type: 'fp32',
    tokenizer: false,
  });
  const total = report.storage.find((line: { kind: string }) => line.kind === 'total');
  expect(total.relative_error).toBeGreaterThan(0.001);
  expect(total.relative_error).toBeLessThan(0.01);
});

test('without --json it prints lines, and says where there is no tokenizer', async () => {
  const out = join(folder, 'lines');
  const printed = await convert(
    checkpoint,
    '--out',
    out,
    '--weights',
    'int4',
    '--activations',
    'fp16',
    '--name',
    'n',
  );
  expect(printed).toMatch(/int4 weights, fp16 activations, [\d.]+ MB of weights\n/);
  expect(printed).toMatch(/ {2}attention .* int4, blocks of 32, \w+, relative error \d\.\d\d %\n/);
  expect(printed).toContain('takes prompts of token ids');
  expect(JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')).name).toBe('n');
});

test('wrong arguments', async () => {
  await expect(convert(checkpoint)).rejects.toThrow(/--out/);
  await expect(convert(checkpoint, '--out', folder, '--weights', 'int2')).rejects.toThrow(
    /fp32, int8, int4, fp16/,
  );
  await expect(convert(checkpoint, '--out', folder)).rejects.toThrow(/exists already/);
});
