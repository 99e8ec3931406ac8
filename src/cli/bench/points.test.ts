/** The points of a benchmark: contexts, batches and temperatures are axes, and packages take turns. */
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { openPackage } from '../../runtime/open-package.js';
import { type BenchAxes, pointsOf } from './points.js';

const shipped = (name: string) => openPackage(resolve(import.meta.dirname, '../../..', 'models', name));
const calm = shipped('stories-k2');
const tokens = shipped('stories-baseline');
const axes = { batch: [1, 8], context: [128, 512], steps: 4, temperature: [1], numCandidates: [50, 200] };

/** What a benchmark of both packages measures, in order. */
function measured(changed: Partial<BenchAxes>) {
  return pointsOf([calm, tokens], { ...axes, ...changed }).map(({ source, point }) => ({
    kind: source.manifest.kind,
    ...point,
  }));
}

it('measures every context at every batch size, the packages of a point one after the other', () => {
  const points = measured({}).map(({ kind, contextTokens, batch }) => [kind, contextTokens, batch]);
  expect(points).toEqual([
    ['calm', 128, 1],
    ['token', 128, 1],
    ['calm', 128, 8],
    ['token', 128, 8],
    ['calm', 512, 1],
    ['token', 512, 1],
    ['calm', 512, 8],
    ['token', 512, 8],
  ]);
});

it('varies candidates only where a package draws them', () => {
  const points = measured({ batch: [1], context: [128], temperature: [1, 0.5] });
  expect(points.map(({ kind, temperature, numCandidates }) => [kind, temperature, numCandidates])).toEqual([
    ['calm', 1, 1],
    ['token', 1, 1],
    ['calm', 0.5, 50],
    ['calm', 0.5, 200],
    ['token', 0.5, 1],
  ]);
});
