/** How long a decision may take where every row of a full batch draws, by docs/sampling.md. */
import { afterAll, describe, expect, it } from 'vitest';
import { GoldenModels, prefill, prompts, row } from '../../tests/golden-models.js';
import type { ChunkChoice } from '../sampler/decision.js';
import type { TemperatureLaw } from '../sampler/settings.js';
import type { LoadOptions } from './load-model.js';
import type { DecodeRow } from './model.js';

const SLOTS = 16;
const DRAWS_PER_STEP = 64;
/** What each row gets of a step at least, as long as it wants it. */
const SHARE = DRAWS_PER_STEP / SLOTS;
const STEPS = 120;
const CANDIDATES = 90;

const models = new GoldenModels();
afterAll(() => models.close());

interface Made {
  readonly choice: ChunkChoice;
  /** Steps of the model from the one that began the decision to the one that made it. */
  readonly steps: number;
}

/** Runs the model with a full batch, every row of which begins another decision when one is made. */
async function runFull(rowOf: (slot: number, decision: number) => DecodeRow, options: LoadOptions) {
  const model = models.open('energy-k4', { slots: SLOTS, drawsPerStep: DRAWS_PER_STEP, ...options });
  for (let slot = 0; slot < SLOTS; slot += 1) await prefill(model, slot % prompts.length, slot);
  const made: Made[] = [];
  let decisions = 0;
  const begin = (slot: number) => ({ row: rowOf(slot, decisions++), steps: 0 });
  let batch = Array.from({ length: SLOTS }, (_, slot) => begin(slot));
  for (let step = 0; step < STEPS; step += 1) {
    const { choices } = await model.step({ prefill: [], decode: batch.map(({ row }) => row) });
    batch = batch.map(({ row, steps }, slot) => {
      const result = choices[slot]!;
      if (result instanceof Error) throw result;
      if ('kind' in result) return { row: { ...row, open: result }, steps: steps + 1 };
      made.push({ choice: result, steps: steps + 1 });
      return begin(slot);
    });
  }
  return { made, longestOpen: Math.max(...batch.map(({ steps }) => steps)) };
}

describe.each([
  { temperatureLaw: 'chunk', options: {} },
  { temperatureLaw: 'token', options: {} },
  { temperatureLaw: 'token', options: { partialDraw: false } },
] as const)('under the $temperatureLaw law, $options', ({ temperatureLaw, options }) => {
  const rowOf = (slot: number, decision: number): DecodeRow => {
    const temperature = [0.9, 0.5, 1.5, 1 / 3][slot % 4]!;
    const law: TemperatureLaw = temperatureLaw;
    return { ...row(slot % prompts.length, temperature, CANDIDATES, law), step: decision };
  };
  /** Parts that a decision took: candidates, or where single tokens are decoded those tokens at most. */
  const partsOf = ({ draws, decodedPositions }: ChunkChoice) =>
    temperatureLaw === 'token' && !('partialDraw' in options) ? decodedPositions! : draws;

  it('a decision of d parts is made within ceil(d / share) steps', async () => {
    const { made, longestOpen } = await runFull(rowOf, options);
    const late = made.filter(({ choice, steps }) => steps > Math.ceil(partsOf(choice) / SHARE));
    expect(late).toEqual([]);
    expect(longestOpen).toBeLessThan((4 * CANDIDATES) / SHARE);
    // The bound was put to the test: decisions took many steps, and some nearly all that they may.
    expect(Math.max(...made.map(({ steps }) => steps))).toBeGreaterThan(10);
    const shares = made.map(({ choice, steps }) => steps / Math.ceil(partsOf(choice) / SHARE));
    expect(Math.max(...shares)).toBeGreaterThan(0.8);
  });
});
