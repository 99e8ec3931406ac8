/** What rows of a token model may ask for beyond a temperature, on a model whose logits are recorded. */
import { afterAll, describe, expect, it } from 'vitest';
import { GoldenPackages } from '../../tests/golden-package.js';
import { GoldenFile } from '../../tests/reference/golden-file.js';
import type { ChunkChoice } from '../sampler/decision.js';
import type { SamplingSettings, TokenControls } from '../sampler/settings.js';
import { tokenLogprobs } from '../sampler/token-sampling/token-logprobs.js';
import { TokenSampler } from '../sampler/token-sampling/token-sampler.js';
import { uniformAt } from '../sampler/uniform.js';
import { Engine } from './engine.js';
import { loadModel } from './load-model.js';
import type { DecodeRow } from './model.js';
import { openPackage } from './open-package.js';
import { OrtEnvironment } from './ort/environment.js';
import { OrtLibrary } from './ort/library.js';
import type { ChunkEvent } from './request.js';

const packages = new GoldenPackages();
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 2 });
const source = openPackage(packages.convert('llama-tied-gqa', 'fp32'));
const { model } = loadModel(environment, source, { slots: 4, device: 'cpu' });
const { bos_token_id: bosTokenId } = source.manifest;
const golden = new GoldenFile('llama-tied-gqa');
afterAll(async () => {
  golden.close();
  model.close();
  environment.close();
  packages.remove();
});

const [, length = 0] = golden.shape('input_ids');
const ids = golden.ids('input_ids');
const logits = golden.floats('logits');
const promptOf = (row: number) => Array.from(ids.slice(row * length, (row + 1) * length));

function recordedLogits(row: number, position: number): Float32Array {
  const start = (row * length + position) * model.vocabSize;
  return logits.slice(start, start + model.vocabSize);
}

const settings = (more: Partial<SamplingSettings>): SamplingSettings => ({
  temperature: 1,
  numCandidates: 1,
  seed: 7,
  choice: 0,
  ...more,
});

/** Row 0's first positions prefilled, and one decode row that feeds its last one. */
async function decodeFirst(rows: readonly Partial<SamplingSettings>[]): Promise<ChunkChoice[]> {
  const decode = rows.map((more, row): DecodeRow => {
    const sampling = settings(more);
    const history = { promptTokens: promptOf(row), generatedTokens: [], stopTokenIds: [] };
    return {
      position: length - 1,
      chunk: promptOf(row).slice(-1),
      step: 0,
      sampling,
      ...(sampling.controls ? { history } : {}),
    };
  });
  const prefill = rows.map((_, slot) => ({ slot, position: 0, tokens: promptOf(slot).slice(0, -1) }));
  const { choices } = await model.step({ prefill, decode });
  return choices.map(choice => {
    if (choice instanceof Error) throw choice;
    return choice as ChunkChoice;
  });
}

const best = (row: number): number => tokenLogprobs(recordedLogits(row, length - 1), 0, 1).top[0]!.token;

describe('controls', () => {
  it.each<[string, TokenControls]>([
    ['a ban of the best token', { logitBias: new Map([[best(0), -100]]) }],
    ['a penalty on the prompt', { repetitionPenalty: 1.7 }],
    ['top_k, top_p and min_p', { topK: 9, topP: 0.8, minP: 0.05 }],
  ])('%s: the token that the recorded logits give', async (_, controls) => {
    const sampler = new TokenSampler(model.vocabSize);
    for (const temperature of [0, 0.8, 1.5]) {
      const [choice] = await decodeFirst([{ controls, temperature }]);
      const expected = sampler.choose({
        logits: recordedLogits(0, length - 1),
        temperature,
        controls,
        history: { promptTokens: promptOf(0), generatedTokens: [], stopTokenIds: [] },
        uniform: uniformAt({ seed: 7, choice: 0, step: 0, stream: 0 }),
      });
      expect(choice?.chunk).toEqual([expected]);
    }
  });

  it('that change nothing draw what the graph draws', async () => {
    for (let seed = 0; seed < 40; seed += 1) {
      const [plain] = await decodeFirst([{ seed }]);
      const [controlled] = await decodeFirst([{ seed, controls: { topP: 1 } }]);
      expect(controlled).toEqual(plain);
    }
  });

  it('of one row change no other row, and a row is the same alone', async () => {
    const controls = { topK: 5, repetitionPenalty: 1.2 };
    const alone = await decodeFirst([{ controls, logprobs: 3 }]);
    const company = await decodeFirst([{ controls, logprobs: 3 }, { seed: 8 }]);
    const plain = await decodeFirst([{}, { seed: 8 }]);
    expect(company[0]).toEqual(alone[0]);
    expect(company[1]).toEqual(plain[1]);
  });

  it('that leave nothing are an error of their row alone', async () => {
    const logitBias = new Map(Array.from({ length: model.vocabSize }, (_, token) => [token, -100]));
    const decode = [{ logitBias }, { topK: 3 }].map(
      (controls, row): DecodeRow => ({
        position: 0,
        chunk: promptOf(row).slice(0, 1),
        step: 0,
        sampling: settings({ controls }),
        history: { promptTokens: [], generatedTokens: [], stopTokenIds: [] },
      }),
    );
    const { choices } = await model.step({ prefill: [], decode });
    expect(choices[0]).toMatchObject({ code: 'invalid_request', param: 'logit_bias' });
    expect(choices[1]).toMatchObject({ draws: 1 });
  });
});

describe('log-probabilities', () => {
  it('are the recorded ones, whatever the temperature and the controls', async () => {
    const recorded = recordedLogits(0, length - 1);
    for (const more of [{}, { temperature: 0.3 }, { controls: { logitBias: new Map([[best(0), -100]]) } }]) {
      const [choice] = await decodeFirst([{ ...more, logprobs: 4 }]);
      const expected = tokenLogprobs(recorded, choice!.chunk[0]!, 4);
      const [reported] = choice!.logprobs!;
      expect(reported?.logprob).toBeCloseTo(expected.logprob, 4);
      expect(reported?.top.map(({ token }) => token)).toEqual(expected.top.map(({ token }) => token));
      for (const [i, entry] of reported!.top.entries())
        expect(entry.logprob).toBeCloseTo(expected.top[i]!.logprob, 4);
    }
  });

  it('stay away from rows that do not ask', async () => {
    const choices = await decodeFirst([{ logprobs: 1 }, {}]);
    expect(choices.map(choice => choice.logprobs?.length)).toEqual([1, undefined]);
  });
});

describe('log-probabilities of the prompt', () => {
  const request = (row: number, prompt = promptOf(row)) => ({
    promptTokens: prompt,
    maxTokens: 2,
    minTokens: 0,
    sampling: settings({ seed: row, logprobs: 1 }),
    stopTokenIds: [],
    promptLogprobs: 2,
  });

  async function read(events: AsyncIterable<ChunkEvent>): Promise<ChunkEvent[]> {
    const all: ChunkEvent[] = [];
    for await (const event of events) all.push(event);
    return all;
  }

  it.each([3, 64])('come with the first chunk, %d chunks a step at most', async prefillChunksPerStep => {
    const engine = new Engine({ ...modelOf(), close: () => {} }, { bosTokenId, prefillChunksPerStep });
    // The recorded rows begin with no BOS and fill less than the context: without one in front they are as recorded.
    const rows = [0, 1];
    const answers = await Promise.all(
      rows.map(row => read(engine.submit(request(row, [bosTokenId, ...promptOf(row)])))),
    );
    for (const [row, events] of answers.entries()) {
      const [first, second] = events;
      expect(first?.promptLogprobs).toHaveLength(length);
      expect(first?.promptLogprobs?.map(({ token }) => token)).toEqual(promptOf(row));
      expect(first?.promptLogprobs?.every(({ top }) => top.length === 2)).toBe(true);
      expect(second?.promptLogprobs).toBeUndefined();
      expect(second?.logprobs).toHaveLength(1);
    }
    await engine.close();
  });

  it('are those of the recorded logits', async () => {
    const tokens = promptOf(0);
    const scoring = { followers: tokens.slice(1), topCount: 3 };
    for (const cut of [2, 5, length - 1]) {
      const pieces = [
        { slot: 0, position: 0, tokens: tokens.slice(0, cut) },
        { slot: 0, position: cut, tokens: tokens.slice(cut, -1) },
      ].filter(piece => piece.tokens.length > 0);
      const { scores } = await model.step({
        prefill: pieces.map(piece => ({
          ...piece,
          scoring: {
            ...scoring,
            followers: scoring.followers.slice(piece.position, piece.position + piece.tokens.length),
          },
        })),
        decode: [],
      });
      const flat = scores!.flatMap(score => score ?? []);
      expect(flat).toHaveLength(length - 1);
      for (const [position, score] of flat.entries()) {
        const expected = tokenLogprobs(recordedLogits(0, position), tokens[position + 1]!, 3);
        expect(score.token).toBe(expected.token);
        expect(score.logprob).toBeCloseTo(expected.logprob, 4);
        expect(score.top.map(({ token }) => token)).toEqual(expected.top.map(({ token }) => token));
      }
    }
  });

  it('and a piece of one token is scored as in a longer one', async () => {
    const tokens = promptOf(0);
    const single = { slot: 0, position: 0, tokens: tokens.slice(0, 1) };
    const { scores } = await model.step({
      prefill: [
        { ...single, scoring: { followers: tokens.slice(1, 2), topCount: 1 } },
        { slot: 1, position: 0, tokens: tokens.slice(0, 2) },
      ],
      decode: [],
    });
    const expected = tokenLogprobs(recordedLogits(0, 0), tokens[1]!, 1);
    expect(scores?.[0]?.[0]?.logprob).toBeCloseTo(expected.logprob, 4);
    expect(scores?.[0]).toHaveLength(1);
    expect(scores?.[1]).toBeNull();
  });
});

/** The model as an engine takes it over, without its closing. */
function modelOf() {
  return {
    chunkSize: model.chunkSize,
    vocabSize: model.vocabSize,
    contextChunks: model.contextChunks,
    slotCount: model.slotCount,
    step: model.step.bind(model),
    moveSlot: model.moveSlot.bind(model),
  };
}
