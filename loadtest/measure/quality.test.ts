import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseBrierLm, parseFlops, readEvaluation, unknownQuality } from './quality.js';

const folder = mkdtempSync(join(tmpdir(), 'loadtest-quality-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('readEvaluation', () => {
  it('takes what calm eval printed, and nothing where there is no file', () => {
    expect(readEvaluation(folder)).toEqual(unknownQuality);
    writeFileSync(
      join(folder, 'eval.json'),
      JSON.stringify({ model: 'm', brierlm: 6.5, brierlm_stderr: 0.1, flops_per_token: 2e8, tokens: 1000 }),
    );
    expect(readEvaluation(folder)).toEqual({ brierLm: 6.5, brierLmError: 0.1, flopsPerToken: { all: 2e8 } });
  });

  it('refuses a file that is something else', () => {
    writeFileSync(join(folder, 'eval.json'), '{"brierlm": "good"}');
    expect(() => readEvaluation(folder)).toThrow('calm eval --json');
  });
});

it('reads scores and costs of the command line', () => {
  expect(parseBrierLm('6.1')).toEqual({ brierLm: 6.1, brierLmError: null });
  expect(parseBrierLm('6.1:0.2')).toEqual({ brierLm: 6.1, brierLmError: 0.2 });
  expect(() => parseBrierLm('good')).toThrow('--brierlm must look like');
  expect(parseFlops('4.4e8')).toEqual({ all: 4.4e8 });
  expect(parseFlops('backbone:2e8, head:3e7')).toEqual({ backbone: 2e8, head: 3e7 });
  for (const bad of ['', 'x', 'head:', ':1', '-5', 'a:1,,b:2']) {
    expect(() => parseFlops(bad), bad).toThrow('--flops must look like');
  }
});
