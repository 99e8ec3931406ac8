import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { goldenFolder } from '../../tests/reference/golden-file.js';
import { convertCheckpoint } from '../convert/convert.js';
import { PAPER_AUTOENCODER, SYNTH_SHAPES, type SynthShape } from '../convert/synth-shapes.js';
import { openPackage } from '../runtime/open-package.js';
import {
  type BackboneShape,
  flopsPerToken,
  flopsPerTokenByPart,
  type ModelShape,
  stepFlops,
} from './flops.js';
import { shapeOfManifest } from './model-shape.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-flops-'));
afterAll(() => rmSync(folder, { recursive: true }));

function paperShape(name: SynthShape): ModelShape {
  const config = SYNTH_SHAPES[name];
  const backbone: BackboneShape = {
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    intermediateSize: config.intermediateSize,
    attentionSize: config.heads * config.headSize,
    kvSize: config.kvHeads * config.headSize,
    vocabSize: config.vocabSize,
  };
  if (config.architecture === 'llama') return { kind: 'token', backbone };
  const { chunkSize, latentSize, noiseSize, headBlocks: blocks } = config;
  const { hiddenSize, intermediateSize, decoderLayers: layers } = PAPER_AUTOENCODER;
  return {
    kind: 'calm',
    backbone,
    chunkSize,
    latentSize,
    head: { kind: 'energy', blocks, noiseSize },
    decoder: { hiddenSize, intermediateSize, layers },
  };
}

/** FLOPs a token at 2048 steps of context, from the paper's Table 1. */
const table: [SynthShape, number][] = [
  ['transformer-s', 4.4e8],
  ['transformer-m', 7.9e8],
  ['transformer-l', 15.0e8],
  ['calm-m', 2.9e8],
  ['calm-l', 4.6e8],
  ['calm-xl', 9.4e8],
];

it.each(table)('counts %s within 4 %% of the paper', (name, published) => {
  const counted = flopsPerToken(paperShape(name), { contextSteps: 2048, candidates: 1 });
  expect(Math.abs(counted / published - 1)).toBeLessThan(0.04);
});

it.each(['calm-m', 'transformer-s'] as const)('says of %s where they go', name => {
  const shape = paperShape(name);
  const setting = { contextSteps: 2048, candidates: 3 };
  const { backbone, attention, head, decoder } = flopsPerTokenByPart(shape, setting);
  expect(backbone + attention + head + decoder).toBe(flopsPerToken(shape, setting));
  const step = stepFlops(shape, 2048);
  if (shape.kind === 'token') expect([head, decoder]).toEqual([step.headOnce, 0]);
  else {
    expect(head).toBe((step.headOnce + 3 * step.headPerCandidate) / 4);
    expect(decoder).toBe((3 * step.decoderPerCandidate) / 4);
    expect(backbone).toBe(step.backbone / 4);
  }
});

it('counts what flow and diffusion heads do once a step, and for each candidate', () => {
  const shape = paperShape('calm-m');
  if (shape.kind !== 'calm') throw new Error('expected a CALM');
  const h = 1024;
  const flow = stepFlops({ ...shape, head: { kind: 'flow', blocks: 4, evaluations: 20 } }, 1);
  expect(flow.headOnce).toBe(2 * (h * h + 20 * 14 * h * h));
  expect(flow.headPerCandidate).toBe(2 * 20 * (8 * h * h + 2 * 128 * h));
  const diffusion = stepFlops({ ...shape, head: { kind: 'diffusion', blocks: 4, evaluations: 100 } }, 1);
  expect(diffusion.headOnce).toBe(2 * (h * h + 100 * 14 * h * h));
  expect(diffusion.headPerCandidate).toBe(2 * 100 * (8 * h * h + 3 * 128 * h));
  expect(diffusion.backbone).toBe(stepFlops(shape, 1).backbone);
});

it('counts what 200 candidates cost', () => {
  const shape = paperShape('calm-m');
  const cost = (candidates: number) => flopsPerToken(shape, { contextSteps: 2048, candidates });
  const { headPerCandidate, decoderPerCandidate } = stepFlops(shape, 2048);
  expect((4 * (cost(200) - cost(1))) / 199).toBeCloseTo(headPerCandidate + decoderPerCandidate, -1);
  // With the whole head for each candidate it would be 3.02e10; what depends on the state alone is done once.
  expect(cost(200)).toBeGreaterThan(2.9e10);
  expect(cost(200)).toBeLessThan(3.02e10);
});

describe.each(['fp32', 'int8', 'int4'] as const)('a package in %s', weights => {
  const open = (name: string) => {
    const out = join(folder, `${name}-${weights}`);
    const autoencoder = name.startsWith('llama') ? undefined : goldenFolder(name, 'autoencoder');
    convertCheckpoint({ checkpoint: goldenFolder(name, 'checkpoint'), autoencoder, out, weights });
    return shapeOfManifest(openPackage(out).manifest);
  };

  it('of a CALM has the shape of its checkpoint', () => {
    expect(open('energy-k4')).toEqual({
      kind: 'calm',
      backbone: {
        layers: 3,
        hiddenSize: 64,
        intermediateSize: 176,
        attentionSize: 64,
        kvSize: 64,
        vocabSize: 384,
      },
      chunkSize: 4,
      latentSize: 16,
      head: { kind: 'energy', blocks: 2, noiseSize: 8 },
      decoder: { hiddenSize: 48, intermediateSize: 112, layers: 2 },
    });
  });

  it.each([
    ['flow-k4', { kind: 'flow', blocks: 2, evaluations: 20 }],
    ['diffusion-k4', { kind: 'diffusion', blocks: 2, evaluations: 100 }],
  ] as const)('of %s knows its head', (name, head) => {
    expect(open(name)).toMatchObject({ head, latentSize: 16 });
  });

  it('of a token model has the shape of its checkpoint', () => {
    expect(open('llama-tied-gqa')).toEqual({
      kind: 'token',
      backbone: {
        layers: 3,
        hiddenSize: 96,
        intermediateSize: 256,
        attentionSize: 96,
        kvSize: 32,
        vocabSize: 384,
      },
    });
  });
});
