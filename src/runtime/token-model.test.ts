import { afterAll, expect, it } from 'vitest';
import { GoldenPackages } from '../../tests/golden-package.js';
import { GoldenFile } from '../../tests/reference/golden-file.js';
import { uniformAt } from '../sampler/uniform.js';
import { loadModel } from './load-model.js';
import type { DecodeRow } from './model.js';
import { openPackage } from './open-package.js';
import { OrtEnvironment } from './ort/environment.js';
import { OrtLibrary } from './ort/library.js';

const packages = new GoldenPackages();
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 2 });
const source = openPackage(packages.convert('llama-tied-gqa', 'fp32'));
const { model } = loadModel(environment, source, { slots: 4, device: 'cpu' });
const golden = new GoldenFile('llama-tied-gqa');
afterAll(() => {
  golden.close();
  model.close();
  environment.close();
  packages.remove();
});

const [rows = 0, length = 0] = golden.shape('input_ids');
const ids = golden.ids('input_ids');
const logits = golden.floats('logits');

function recordedLogits(row: number, position: number): Float32Array {
  const start = (row * length + position) * model.vocabSize;
  return logits.subarray(start, start + model.vocabSize);
}

/** Feeds the recorded ids, all rows at once, and returns the token that was drawn after each of them. */
async function drawn(temperature: number): Promise<number[][]> {
  const tokens: number[][] = Array.from({ length: rows }, () => []);
  for (let position = 0; position < length; position += 1) {
    const decode = tokens.map((_, row): DecodeRow => {
      const sampling = { temperature, numCandidates: 1, seed: 40 + row, choice: row };
      return { position, chunk: [ids[row * length + position] as number], step: position, sampling };
    });
    const { choices } = await model.step({ prefill: [], decode });
    for (const [row, choice] of choices.entries()) {
      if (choice instanceof Error || 'kind' in choice) throw choice;
      expect(choice).toMatchObject({ draws: 1, fallback: false });
      tokens[row]?.push(choice.chunk[0] as number);
    }
  }
  return tokens;
}

/** Where the cumulative sum of softmax(logits / temperature) first exceeds the key's uniform number. */
function expectedDraw(row: number, position: number, temperature: number): number {
  const scores = recordedLogits(row, position);
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const weights = Array.from(scores, score => Math.exp((score - largest) / temperature));
  const uniform = uniformAt({ seed: 40 + row, choice: row, step: position, stream: 0 });
  let rest = uniform * weights.reduce((a, b) => a + b);
  return weights.findIndex(weight => {
    rest -= weight;
    return rest < 0;
  });
}

it('takes the largest recorded logit at temperature 0', async () => {
  const best = Array.from({ length: rows }, (_, row) =>
    Array.from({ length }, (_, position) => {
      const scores = recordedLogits(row, position);
      return scores.indexOf(scores.reduce((a, b) => Math.max(a, b)));
    }),
  );
  expect(await drawn(0)).toEqual(best);
});

it.each([1, 0.6, 1.5])(
  'draws from the softmax of the recorded logits at temperature %d',
  async temperature => {
    const expected = Array.from({ length: rows }, (_, row) =>
      Array.from({ length }, (_, position) => expectedDraw(row, position, temperature)),
    );
    expect(await drawn(temperature)).toEqual(expected);
  },
);

it('continues a prefilled prompt as it continues one that was fed token by token', async () => {
  const prompt = ids.slice(0, length);
  const sampling = { temperature: 0, numCandidates: 1, seed: 0, choice: 0 };
  const last = { position: length - 1, chunk: prompt.slice(-1), step: 0, sampling };
  const { choices, timings } = await model.step({
    prefill: [
      { slot: 0, position: 0, tokens: prompt.slice(0, 5) },
      { slot: 0, position: 5, tokens: prompt.slice(5, -1) },
    ],
    decode: [last],
  });
  const scores = recordedLogits(0, length - 1);
  expect(choices).toEqual([
    { chunk: [scores.indexOf(scores.reduce((a, b) => Math.max(a, b)))], draws: 1, fallback: false },
  ]);
  expect(timings.nativeCallCount).toBe(3);
});
