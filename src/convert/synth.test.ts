import { expect, test } from 'vitest';
import { countElements } from './model.js';
import { synthModel } from './synth.js';
import type { SynthShape } from './synth-shapes.js';

/** Table 1 of the paper, in millions; its CALM rows leave the autoencoder's 75 million out. */
test.each<[SynthShape, number]>([
  ['transformer-s', 281],
  ['transformer-m', 465],
  ['transformer-l', 849],
  ['calm-m', 371 + 75],
  ['calm-l', 735 + 75],
  ['calm-xl', 1830 + 75],
])('%s has the parameters of the published model', (shape, millions) => {
  const model = synthModel(shape);
  const { cos, sin } = model.parameters.backbone.rotary;
  const parameters = countElements(model) - cos.length - sin.length;
  expect(Math.abs(parameters / 1e6 - millions)).toBeLessThan(0.006 * millions);
});

test('random matrices are of a size that keeps activations near 1, and no two are equal', () => {
  const model = synthModel('transformer-s');
  const [first, second] = model.parameters.backbone.layers;
  const values = first!.down.weight.read(0, 8);
  const variance = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
  expect(variance * 2048).toBeCloseTo(1, 1);
  expect(values).not.toEqual(second!.down.weight.read(0, 8));
  expect(first!.down.weight.read(4, 8)).toEqual(values.subarray(values.length / 2));
});

test.each(['flow', 'diffusion'] as const)('a CALM shape may have a %s head', head => {
  const model = synthModel('calm-m', head, 7);
  if (model.kind !== 'calm' || model.parameters.head.kind === 'energy') throw new Error('another head');
  const { kind, steps, net } = model.parameters.head;
  expect([kind, steps, net.blocks.length]).toEqual([head, 7, 4]);
  expect(net.times.weight.rows).toBe(head === 'flow' ? 14 : 7);
  expect(net.modulation.weight.rows).toBe(14 * 1024);
  expect(() => synthModel('transformer-s', head)).toThrow(`--head ${head} is for CALMs`);
});
