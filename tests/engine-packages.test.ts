/** The engine over converted packages: a batch that others join and leave gives every request its own text. */
import { afterAll, describe, expect, test } from 'vitest';
import { Engine } from '../src/runtime/engine.js';
import { loadModel } from '../src/runtime/load-model.js';
import { openPackage } from '../src/runtime/open-package.js';
import { OrtEnvironment } from '../src/runtime/ort/environment.js';
import { OrtLibrary } from '../src/runtime/ort/library.js';
import type { ChunkEvent, GenerationRequest } from '../src/runtime/request.js';
import { RandomStream } from '../src/sampler/uniform.js';
import { type GoldenCase, GoldenPackages } from './golden-package.js';

const packages = new GoldenPackages();
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });
afterAll(() => {
  environment.close();
  packages.remove();
});

const cases: [GoldenCase, 'fp32' | 'int8' | 'int4'][] = [
  ['energy-k4', 'fp32'],
  ['energy-k4', 'int8'],
  ['energy-k4', 'int4'],
  ['energy-k2-bin-bf16', 'int8'],
  ['llama-tied-gqa', 'int8'],
];

/** Requests of all lengths and temperatures; every fourth is left after its third chunk. */
function requestsFor(longestPrompt: number, vocabSize: number): GenerationRequest[] {
  const random = new RandomStream({ seed: 8, choice: 0, step: 0 });
  const upTo = (limit: number) => Math.floor(random.next() * limit);
  return Array.from({ length: 32 }, (_, seed) => ({
    promptTokens: Array.from({ length: upTo(longestPrompt) }, () => upTo(vocabSize)),
    maxTokens: 8 + upTo(40),
    minTokens: 0,
    stopTokenIds: [],
    sampling: {
      temperature: [1, 0.5, 0, 0.7][seed % 4]!,
      numCandidates: 24,
      seed,
      choice: 0,
      temperatureLaw: (['chunk', 'token'] as const)[(seed >> 2) % 2]!,
    },
  }));
}

async function tokensOf(stream: AsyncIterable<ChunkEvent>, chunkLimit = Number.POSITIVE_INFINITY) {
  const tokens: number[] = [];
  let chunks = 0;
  for await (const event of stream) {
    tokens.push(...event.tokens);
    chunks += 1;
    if (chunks === chunkLimit) break;
  }
  return tokens;
}

/** So few that a decision takes several steps, while other rows go on. */
const DRAWS_PER_STEP = 10;

describe.each(cases)('%s in %s', (name, weights) => {
  test('32 requests on 5 slots get what each gets alone, however their prompts are cut', async () => {
    const source = openPackage(packages.convert(name, weights));
    const { bos_token_id: bosTokenId, vocab_size: vocabSize } = source.manifest;
    const open = (slots: number, prefillChunksPerStep: number, drawsPerStep?: number) => {
      const { model } = loadModel(environment, source, { slots, device: 'cpu', drawsPerStep });
      return new Engine(model, { bosTokenId, prefillChunksPerStep });
    };
    const context = source.manifest.backbone.max_positions * source.manifest.chunk_size;
    const requests = requestsFor(Math.floor(context / 2), vocabSize);

    const alone = open(1, 10_000);
    const expected: number[][] = [];
    for (const request of requests) expected.push(await tokensOf(alone.submit(request)));
    await alone.close();

    const shared = open(5, 7, DRAWS_PER_STEP);
    const together = await Promise.all(
      requests.map((request, i) => tokensOf(shared.submit(request), i % 4 === 3 ? 3 : undefined)),
    );
    const { leasedSlots, slotMoves, largestBatch, largestChunkGapSteps } = shared.stats();
    await shared.close();

    for (const [i, tokens] of together.entries()) {
      const limit = i % 4 === 3 ? 3 * source.manifest.chunk_size : undefined;
      expect(tokens).toEqual(expected[i]!.slice(0, limit));
    }
    expect(leasedSlots).toBe(0);
    // Five rows share a step's draws, two each; 24 candidates have 24 K tokens, decoded one by one at worst.
    expect(largestChunkGapSteps).toBeLessThanOrEqual(12 * source.manifest.chunk_size);
    expect(largestChunkGapSteps > 1).toBe(source.manifest.kind === 'calm');
    expect(largestBatch).toBeGreaterThan(3);
    expect(slotMoves).toBeGreaterThan(0);
  });
});
