/** Evaluation of converted golden packages: contexts and draws against the engine, probabilities against PyTorch. */
import { afterAll, describe, expect, it } from 'vitest';
import type { BlockModel } from '../src/evaluate/block-model.js';
import type { Block } from '../src/evaluate/blocks.js';
import { CalmBlockModel } from '../src/evaluate/calm-block-model.js';
import { evaluatePackage } from '../src/evaluate/evaluate-package.js';
import { randomChunks, reconstruct } from '../src/evaluate/reconstruction.js';
import { TokenBlockModel } from '../src/evaluate/token-block-model.js';
import { Engine } from '../src/runtime/engine.js';
import { cacheSize } from '../src/runtime/kv-cache.js';
import { loadModel } from '../src/runtime/load-model.js';
import { type ModelPackage, openPackage } from '../src/runtime/open-package.js';
import { OrtEnvironment } from '../src/runtime/ort/environment.js';
import { OrtLibrary } from '../src/runtime/ort/library.js';
import { PackageSessions } from '../src/runtime/ort/package-sessions.js';
import { fillNormals } from '../src/sampler/normal.js';
import { RandomStream } from '../src/sampler/uniform.js';
import { editManifest, type GoldenCase, GoldenPackages } from './golden-package.js';
import { GoldenFile } from './reference/golden-file.js';
import { float32, int64, numbers, PackageRunner } from './reference/package-runner.js';

const packages = new GoldenPackages();
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });
afterAll(() => {
  environment.close();
  packages.remove();
});

const open = (name: GoldenCase): ModelPackage => openPackage(packages.convert(name, 'fp32'));

function blockOf(tokens: readonly number[], index = 0): Block {
  return { index, unit: 0, tokens, starts: [], textTokens: tokens.length };
}

function randomTokens(count: number, seed: number): number[] {
  const random = new RandomStream({ seed, choice: 0, step: 0 });
  return Array.from({ length: count }, () => Math.floor(300 * random.next()));
}

/** Runs `work` on a BlockModel of a package. */
async function withBlockModel(
  source: ModelPackage,
  work: (model: BlockModel) => Promise<void>,
): Promise<void> {
  const sessions = new PackageSessions(environment, source, 'cpu');
  const { manifest } = source;
  const size = cacheSize(manifest, { slots: 2, maxModelLen: 16 * manifest.chunk_size });
  const model =
    manifest.kind === 'calm'
      ? new CalmBlockModel(sessions, manifest, size, 7)
      : new TokenBlockModel(sessions, manifest, size, { seed: 7, paths: 2 });
  try {
    await work(model);
  } finally {
    model.close();
    sessions.close();
  }
}

describe.each(['energy-k2-bin-bf16', 'energy-k4', 'flow-k4', 'diffusion-k4'] as const)('%s', name => {
  it('draws behind text, and behind its own chunks, what the engine draws one request at a time', async () => {
    const source = open(name);
    const { chunk_size: size, bos_token_id: bosTokenId } = source.manifest;
    const { model: language } = loadModel(environment, source, { slots: 1, device: 'cpu' });
    const engine = new Engine(language, { bosTokenId });
    const tokens = [...new Array<number>(size).fill(bosTokenId), ...randomTokens(9 * size, 1)];
    const generate = async (chunks: number, choice: number) => {
      const drawn: number[][] = [];
      const sampling = { temperature: 1, numCandidates: 1, seed: 7, choice };
      const request = {
        promptTokens: tokens.slice(0, chunks * size),
        maxTokens: 2 * size,
        minTokens: 0,
        stopTokenIds: [],
        sampling,
      };
      for await (const { tokens: chunk } of engine.submit(request)) drawn.push([...chunk]);
      return drawn as [number[], number[]];
    };

    await withBlockModel(source, async model => {
      for (const row of [0, 1]) await model.prefill(row, blockOf(tokens), 10);
      const ones = new Array<number>(size).fill(1);
      for (let chunks = 10; chunks >= 1; chunks -= 1) {
        const pairs = [await generate(chunks, 2 * chunks), await generate(chunks, 2 * chunks + 1)];
        const query = (row: number, truth: readonly number[]) => ({
          samples: 1,
          length: size,
          truth,
          node: 2 * chunks + row,
        });
        // The engine numbers its noise by request and step; here these numbers stand for node and block.
        const first = await model.scoreText(
          pairs.map(([chunk], row) => ({ ...query(row, chunk), state: chunks - 1, block: 0 })),
        );
        await model.feed(pairs.map(([chunk]) => ({ chunk, position: chunks })));
        const second = await model.scoreFed(
          pairs.map(([, chunk], row) => ({ ...query(row, chunk), state: row, block: 1 })),
        );
        for (const { accuracy } of [...first, ...second]) expect(accuracy).toEqual(ones);
      }
    });
    await engine.close();
  });
});

describe('llama-tied-gqa', () => {
  const golden = new GoldenFile('llama-tied-gqa');
  const length = golden.shape('input_ids')[1]!;
  const ids = golden.ids('input_ids').slice(0, length);
  const softmax = (position: number): number[] => {
    const logits = golden.row('logits', position);
    const largest = logits.reduce((most, logit) => Math.max(most, logit));
    const weights = Array.from(logits, logit => Math.exp(logit - largest));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map(weight => weight / sum);
  };
  const wanted = ids.map((_, position) => {
    const law = softmax(position);
    return { law, collision: law.reduce((sum, p) => sum + p * p, 0) };
  });

  it("takes P(y) and the collision probability from PyTorch's softmax, by prefill and by steps", async () => {
    await withBlockModel(open('llama-tied-gqa'), async model => {
      const text = ids.slice(0, 16);
      const query = { samples: 1, length: 1, block: 0, node: 0 };
      for (const row of [0, 1]) await model.prefill(row, blockOf(text), 15);
      const found = await model.scoreText(
        Array.from({ length: 15 }, (_, state) => ({ ...query, state, truth: [text[state + 1]!] })),
      );
      for (const [state, { accuracy, collision }] of found.entries()) {
        expect(accuracy[0]! / wanted[state]!.law[text[state + 1]!]!).toBeCloseTo(1, 3);
        expect(collision[0]! / wanted[state]!.collision).toBeCloseTo(1, 3);
      }
      for (let position = 14; position > 0; position -= 1) {
        const chunk = [text[position]!];
        await model.feed([{ chunk, position }, null]);
        const [score] = await model.scoreFed([{ ...query, state: 0, truth: null }]);
        expect(score!.collision[0]! / wanted[position]!.collision).toBeCloseTo(1, 3);
      }
    });
  });

  it('scores the packed text by them', async () => {
    const folder = packages.copy(packages.convert('llama-tied-gqa', 'fp32'), 'other-bos');
    // Documents begin with BOS; the recording begins with its own first token.
    editManifest(folder, manifest => Object.assign(manifest, { bos_token_id: ids[0] }));
    const documents = [ids.slice(1), ids.slice(1, 12)];
    const options = { samples: 2, seed: 1, blockTokens: 20 };
    const evaluation = await evaluatePackage(environment, openPackage(folder), 'cpu', documents, options);
    expect(evaluation).toMatchObject({ documents: 2, positions: 7, tokens: 31, autoencoderAccuracy: null });
    const exact = [0, 4, 8, 12, 16, 0, 4].map(start => {
      const { law, collision } = wanted[start]!;
      return 2 * law[ids[start + 1]!]! - collision;
    });
    const mean = exact.reduce((sum, score) => sum + score, 0) / exact.length;
    expect(evaluation.brier[0]! / 100 / mean).toBeCloseTo(1, 3);
  });
});

describe.each(['energy-k2-bin-bf16', 'energy-k4', 'llama-tied-gqa'] as const)('an evaluation of %s', name => {
  const documents = [randomTokens(50, 1), randomTokens(3, 2), randomTokens(21, 3)];
  const run = (seed: number, texts: readonly (readonly number[])[] = documents) =>
    evaluatePackage(environment, open(name), 'cpu', texts, { samples: 16, seed, blockTokens: 24 });

  it('scores every place once and comes out the same for the same seed', async () => {
    const first = await run(1);
    expect(first).toMatchObject({ documents: 2, blockTokens: 24, stride: 4, samples: 16, tokens: 69 });
    // 6 and 5 positions of the first document's whole blocks, none of its last 2 tokens, 5 of the other document.
    expect(first.positions).toBe(16);
    expect(first.brier.length).toBe(4);
    expect(first.brier.every(Number.isFinite)).toBe(true);
    expect(first.flopsPerToken).toBeGreaterThan(0);
    expect(await run(1)).toEqual(first);
    expect((await run(2)).brier).not.toEqual(first.brier);
  });

  it('refuses text that is too short with one sentence', async () => {
    await expect(run(1, [[1, 2], [3]])).rejects.toThrow(
      'The text is too short: its longest document has 2 tokens, and a scored position takes 4.',
    );
  });
});

it('counts the tokens that encoder and decoder give back', async () => {
  // Random weights give back a token by chance only, so there must be many.
  const ids = randomTokens(8000, 4);
  const source = open('energy-k2-bin-bf16');
  const { noisy, clean } = await reconstructIn(source, ids, 5);
  const runner = new PackageRunner(source.directory);
  const [chunks, size] = [ids.length / 2, 12];
  const { mean, log_std } = await runner.run('encoder', { input_ids: int64(ids, [chunks, 2]) });
  const share = async (latent: readonly number[]) => {
    const { tokens } = await runner.run('decoder', { latent: float32(latent, [chunks, size]) });
    return numbers(tokens).filter((token, index) => token === ids[index]).length / ids.length;
  };
  const normals = new Float32Array(chunks * size);
  for (let step = 0; step < chunks; step += 1) fillNormals(normals, step * size, size, { seed: 5, step });
  const [means, logStds] = [numbers(mean), numbers(log_std)];
  expect(clean).toBe(await share(means));
  expect(noisy).toBe(await share(means.map((value, i) => value + Math.exp(logStds[i]!) * normals[i]!)));
  expect(Math.min(clean, noisy)).toBeGreaterThan(0);
  expect(clean).not.toBe(noisy);
});

it('draws random chunks of every usual token and of no special one', () => {
  const { manifest } = open('energy-k2-bin-bf16');
  if (manifest.kind !== 'calm') throw new Error('expected a CALM');
  const named = { file: 'x', pattern: 'x', special_tokens: { '<a>': 5 } };
  const tokens = randomChunks({ ...manifest, tokenizer: named }, 3);
  expect(tokens.length).toBe(8192);
  const special = [5, manifest.bos_token_id, ...manifest.eos_token_ids, manifest.pad_token_id!];
  // A usual token is missing with a probability of 320 e^-25.
  expect(new Set(tokens).size).toBe(manifest.vocab_size - new Set(special).size);
  for (const id of special) expect(tokens).not.toContain(id);
  expect(randomChunks(manifest, 4)).not.toEqual(randomChunks(manifest, 3));
});

async function reconstructIn(source: ModelPackage, ids: readonly number[], seed: number) {
  if (source.manifest.kind !== 'calm') throw new Error('expected a CALM');
  const sessions = new PackageSessions(environment, source, 'cpu');
  try {
    return await reconstruct(sessions, source.manifest, ids, seed);
  } finally {
    sessions.close();
  }
}
