/**
 * What a candidate costs under each head: the graph `head` alone, one row of hidden states, random weights. Prints
 * Markdown.
 *
 *   npm run build && node scripts/measure-heads.js --hidden 256 --latent 32 --blocks 2 --weights int8
 *
 * Times are CPU time of this process on one thread, which other work on the machine disturbs little; heads and numbers
 * of candidates take turns, and figures are medians over `--rounds`. "First" is a call for one candidate, "further"
 * what each of 8 to 64 more adds. The decoder, which every candidate also costs, is the same for all heads.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readCalmModel } from '../dist/convert/model.js';
import { RandomTensors } from '../dist/convert/random-tensors.js';
import { PAPER_AUTOENCODER, SYNTH_SHAPES } from '../dist/convert/synth-shapes.js';
import { autoencoderTensors, calmTensors } from '../dist/convert/tensor-shapes.js';
import { CheckpointTensors } from '../dist/convert/weights/checkpoint-tensors.js';
import { writeModel } from '../dist/convert/write-model.js';
import { stepFlops } from '../dist/evaluate/flops.js';
import { shapeOfManifest } from '../dist/evaluate/model-shape.js';

const { values: options } = parseArgs({
  options: {
    hidden: { type: 'string', default: '256' },
    latent: { type: 'string', default: '32' },
    blocks: { type: 'string', default: '2' },
    weights: { type: 'string', default: 'int8' },
    rounds: { type: 'string', default: '9' },
  },
});
const [hidden, latentSize, headBlocks] = [options.hidden, options.latent, options.blocks].map(Number);
const counts = [1, 8, 64];

// Backbone and autoencoder are as small as they may be: they are not run.
const base = {
  ...SYNTH_SHAPES['calm-m'],
  layers: 1,
  hiddenSize: hidden,
  intermediateSize: hidden,
  heads: 4,
  kvHeads: 4,
  headSize: hidden / 4,
  vocabSize: 512,
  bosTokenId: 1,
  eosTokenIds: [2],
  padTokenId: 0,
  maxPositions: 16,
  latentSize,
  headBlocks,
};
const autoencoder = {
  ...PAPER_AUTOENCODER,
  hiddenSize: 64,
  intermediateSize: 128,
  vocabSize: base.vocabSize,
  latentSize,
};
const heads = [
  ['energy', base],
  ['flow, 2 steps', { ...base, architecture: 'calm-flow', headSteps: 2 }],
  ['flow, 4 steps', { ...base, architecture: 'calm-flow', headSteps: 4 }],
  ['flow, 10 steps', { ...base, architecture: 'calm-flow', headSteps: 10 }],
  ['diffusion, 50 steps', { ...base, architecture: 'calm-diffusion', headSteps: 50 }],
  ['diffusion, 100 steps', { ...base, architecture: 'calm-diffusion', headSteps: 100 }],
];

function writePackage(config, out) {
  const random = shapes => new RandomTensors(new Map(shapes));
  const tensors = new CheckpointTensors(random(autoencoderTensors(autoencoder)), 'random');
  const model = readCalmModel(config, random(calmTensors(config)), 'random', {
    config: autoencoder,
    tensors,
  });
  const written = {
    out,
    name: 'heads',
    source: 'random weights',
    weights: options.weights,
    activations: options.weights === 'fp16' ? 'fp16' : 'fp32',
    replace: true,
    tokenizer: null,
    bosTokenId: 1,
    eosTokenIds: [2],
    generationDefaults: {},
    card: null,
  };
  return writeModel(model, written, () => {}).manifest;
}

async function openHead(name, config, folder) {
  const manifest = writePackage(config, folder);
  const before = process.cpuUsage();
  const session = await InferenceSession.create(join(folder, 'head.onnx'), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const loadMs = cpuMs(before);
  const { headOnce, headPerCandidate } = stepFlops(shapeOfManifest(manifest), 1);
  const noiseSize = manifest.head.noise_size;
  const feeds = counts.map(count => ({
    hidden: new Tensor(
      'float32',
      Float32Array.from({ length: hidden }, (_, i) => Math.sin(i)),
      [1, hidden],
    ),
    row: new Tensor('int64', new BigInt64Array(count), [count]),
    noise: new Tensor(
      'float32',
      Float32Array.from({ length: count * noiseSize }, (_, i) => Math.cos(1.7 * i)),
      [count, noiseSize],
    ),
  }));
  return { name, session, feeds, loadMs, headOnce, headPerCandidate, times: counts.map(() => []) };
}

function cpuMs(since) {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

const median = values => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const folder = mkdtempSync(join(tmpdir(), 'calm-heads-'));
try {
  const opened = [];
  for (const [name, config] of heads) opened.push(await openHead(name, config, join(folder, name)));
  for (let round = -1; round < Number(options.rounds); round++) {
    for (const { session, feeds, times } of opened) {
      for (const [index, feed] of feeds.entries()) {
        const before = process.cpuUsage();
        const calls = round < 0 ? 1 : 3;
        for (let call = 0; call < calls; call++) await session.run(feed);
        if (round >= 0) times[index].push(cpuMs(before) / calls);
      }
    }
  }
  const [first] = opened.map(({ times }) => median(times[0]));
  const furtherOf = ({ times }) => (median(times[2]) - median(times[1])) / (counts[2] - counts[1]);
  const further = furtherOf(opened[0]);
  const perCandidate = opened[0].headPerCandidate;
  console.log(
    `hidden ${hidden}, latent ${latentSize}, ${headBlocks} blocks, ${options.weights}, one thread, CPU time\n`,
  );
  console.log(
    '| head | first, ms | over energy | further, ms | over energy | FLOPs a candidate over energy | FLOPs once over energy | load, ms |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  for (const head of opened) {
    const one = median(head.times[0]);
    const more = furtherOf(head);
    const cells = [
      head.name,
      one.toFixed(2),
      (one / first).toFixed(1),
      more.toFixed(3),
      (more / further).toFixed(1),
      (head.headPerCandidate / perCandidate).toFixed(1),
      (head.headOnce / opened[0].headOnce).toFixed(1),
      head.loadMs.toFixed(0),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
