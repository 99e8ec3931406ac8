/** The floor under a step: which bytes and operations count, and which of the two decides. */
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { flopsPerToken } from '../../evaluate/flops.js';
import { shapeOfManifest } from '../../evaluate/model-shape.js';
import { openPackage } from '../../runtime/open-package.js';
import { type MachineRates, rooflineOf } from './roofline.js';
import { stepWeightBytes } from './weight-traffic.js';

const { manifest } = openPackage(join(resolve(import.meta.dirname, '../../..'), 'models/stories-k2'));
const { layers, kv_heads, head_size } = manifest.backbone;
const unit: MachineRates = {
  readBytesPerSecond: 1000,
  productFlopsPerSecond: Number.POSITIVE_INFINITY,
  attentionFlopsPerSecond: Number.POSITIVE_INFINITY,
};

test('memory: the weights once, the cache once a row', () => {
  const { cacheBytes, weightBytes, ms, bound } = rooflineOf(manifest, unit, {
    batch: 3,
    contextSteps: 10,
    draws: 1,
  });
  expect(weightBytes).toBe(stepWeightBytes(manifest));
  expect(cacheBytes).toBe(3 * 10 * 2 * layers * kv_heads * head_size * 4);
  expect({ ms, bound }).toEqual({ ms: weightBytes + cacheBytes, bound: 'memory' });
});

test('arithmetic: attention at its own rate, candidates as often as they are drawn', () => {
  const rates = { ...unit, readBytesPerSecond: Number.POSITIVE_INFINITY, productFlopsPerSecond: 1000 };
  const cost = (batch: number, contextSteps: number, draws: number) =>
    rooflineOf(manifest, rates, { batch, contextSteps, draws });
  const one = cost(1, 10, 1);
  expect(one.bound).toBe('arithmetic');
  expect(cost(4, 10, 1).ms).toBeCloseTo(4 * one.ms, 3);
  // A longer context costs attention only, which is free at this rate, yet counts as operations.
  expect(cost(1, 20, 1).ms).toBeCloseTo(one.ms, 6);
  expect(cost(1, 20, 1).flops! - one.flops!).toBe(4 * 10 * layers * kv_heads * head_size);
  const perDraw = cost(1, 10, 2).ms - one.ms;
  expect(perDraw).toBeGreaterThan(0);
  expect(cost(1, 10, 101).ms - one.ms).toBeCloseTo(100 * perDraw, 0);
});

test('operations for each token are those of the counter, at the candidates of the row', () => {
  const shape = shapeOfManifest(manifest)!;
  for (const draws of [1, 37.5]) {
    const { flops, flopsPerToken: perToken } = rooflineOf(manifest, unit, {
      batch: 3,
      contextSteps: 10,
      draws,
    });
    expect(perToken).toBe(flopsPerToken(shape, { contextSteps: 10, candidates: draws }));
    expect(perToken! * 3 * manifest.chunk_size).toBeCloseTo(flops!, 0);
  }
});
