import { expect, it, vi } from 'vitest';
import type { ChunkDecision, Wish } from '../sampler/decision.js';
import { startDecision } from '../sampler/start-decision.js';
import { RowDecision } from './calm-model-decision.js';
import type { DecodeRow } from './model.js';

vi.mock('../sampler/start-decision.js', () => ({ startDecision: vi.fn() }));

const row: DecodeRow = {
  position: 3,
  chunk: [1, 2],
  step: 7,
  sampling: { temperature: 0.5, numCandidates: 10, seed: 1, choice: 0 },
};

function start(decision: () => ChunkDecision): RowDecision {
  vi.mocked(startDecision).mockImplementationOnce(decision);
  return new RowDecision(row, { chunkSize: 1, exactDrawLimit: 500, partialLaws: [] });
}

/** A wish for one token of each of these candidates, after which `remaining` more of them may be wanted. */
function tokensAt(position: number, candidates: readonly number[], remaining: number): Wish {
  return { kind: 'tokens', tokens: candidates.map(candidate => ({ candidate, position })), remaining };
}

it('hands over candidates in the groups that the decision asks for, and counts them', () => {
  const groups: (readonly (readonly number[])[])[] = [];
  const decision = start(function* () {
    groups.push(yield 2);
    groups.push(yield 1);
    return { chunk: [9], draws: 3, fallback: false };
  });
  expect(decision.missing).toBe(2);
  decision.give([1]);
  expect([decision.missing, decision.part(0)]).toEqual([1, { candidate: 1, position: null }]);
  decision.give([2]);
  expect([decision.missing, decision.part(0)]).toEqual([1, { candidate: 2, position: null }]);
  expect(decision.outcome).toBeNull();
  decision.give([3]);
  expect(groups).toEqual([[[1], [2]], [[3]]]);
  expect(decision.outcome).toEqual({ chunk: [9], draws: 3, fallback: false });
  expect(decision.missing).toBe(0);
  decision.give([4]);
  expect(groups).toHaveLength(2);
});

it('starts the decision of its own row and step', () => {
  // biome-ignore lint/correctness/useYield: this decision needs no candidate.
  const decision = start(function* () {
    return { chunk: [5], draws: 0, fallback: false };
  });
  expect(startDecision).toHaveBeenLastCalledWith(row.sampling, 7, 500, { outlook: { sharers: 1 } });
  expect(decision.outcome).toEqual({ chunk: [5], draws: 0, fallback: false });
});

it('keeps an error to its row, at the start and later', () => {
  const failure = new Error('the law never spoke');
  const early = start(() => {
    throw failure;
  });
  expect(early.outcome).toBe(failure);
  const late = start(function* () {
    yield 1;
    throw failure;
  });
  late.give([1]);
  expect(late.outcome).toBe(failure);
  expect(late.missing).toBe(0);
});

it('refuses a wish for no candidate', () => {
  const decision = start(function* () {
    yield 0;
    return { chunk: [], draws: 0, fallback: false };
  });
  expect(decision.outcome).toMatchObject({ code: 'internal' });
});

it('keeps a candidate of a wrong length to its row', () => {
  const decision = start(function* () {
    yield 2;
    return { chunk: [1], draws: 2, fallback: false };
  });
  decision.give([1]);
  decision.give([1, 2]);
  expect(decision.outcome).toMatchObject({ message: 'a candidate of 2 tokens instead of 1' });
  expect(decision.missing).toBe(0);
});

it('hands over parts of candidates, and a whole one where a beginning is wanted', () => {
  const groups: (readonly (readonly number[])[])[] = [];
  vi.mocked(startDecision).mockImplementationOnce(function* () {
    groups.push(yield { kind: 'fresh', count: 2, position: 0 });
    groups.push(yield tokensAt(1, [1], 0));
    return { chunk: [9, 9], draws: 2, fallback: false };
  });
  const decision = new RowDecision(row, { chunkSize: 2, exactDrawLimit: 500, partialLaws: ['chunk'] });
  expect(startDecision).toHaveBeenLastCalledWith(row.sampling, 7, 500, {
    chunkSize: 2,
    partialLaws: ['chunk'],
    outlook: { sharers: 1 },
  });
  expect([decision.part(0), decision.part(1)]).toEqual([
    { candidate: 0, position: 0 },
    { candidate: 1, position: 0 },
  ]);
  decision.give([1, 7]);
  decision.give([2]);
  expect([decision.wantsNewCandidates, decision.part(0)]).toEqual([false, { candidate: 1, position: 1 }]);
  decision.give([3]);
  expect(groups).toEqual([[[1], [2]], [[3]]]);
  expect(decision.outcome).toMatchObject({ chunk: [9, 9] });
});

it('asks for few candidates whole, and again for none that it knows', () => {
  const groups: (readonly (readonly number[])[])[] = [];
  vi.mocked(startDecision).mockImplementationOnce(function* () {
    groups.push(yield { kind: 'fresh', count: 2, position: 0 });
    groups.push(yield tokensAt(1, [0, 1], 1));
    groups.push(yield tokensAt(2, [1, 0], 0));
    groups.push(yield { kind: 'fresh', count: 1, position: 0 });
    return { chunk: [9, 9, 9], draws: 3, fallback: false };
  });
  const decision = new RowDecision(row, { chunkSize: 3, exactDrawLimit: 500, partialLaws: ['chunk'] });
  decision.give([1, 11, 21]);
  decision.give([2]);
  expect([decision.missing, decision.part(0)]).toEqual([1, { candidate: 1, position: null }]);
  decision.give([2, 12, 22]);
  expect([decision.missing, decision.part(0)]).toEqual([1, { candidate: 2, position: 0 }]);
  decision.give([3]);
  expect(groups).toEqual([[[1], [2]], [[11], [12]], [[22], [21]], [[3]]]);
  expect(decision.outcome).toMatchObject({ chunk: [9, 9, 9] });
});

it('asks for one position where many are wanted, or where it is the last one', () => {
  const many = Array.from({ length: 7 }, (_, i) => i);
  vi.mocked(startDecision).mockImplementationOnce(function* () {
    yield { kind: 'fresh', count: 7, position: 0 };
    yield tokensAt(1, many, 1);
    yield tokensAt(2, [3], 0);
    return { chunk: [9, 9, 9], draws: 7, fallback: false };
  });
  const decision = new RowDecision(row, { chunkSize: 3, exactDrawLimit: 500, partialLaws: ['chunk'] });
  for (const token of many) decision.give([token]);
  expect(decision.part(6)).toEqual({ candidate: 6, position: 1 });
  for (const token of many) decision.give([token]);
  expect(decision.part(0)).toEqual({ candidate: 3, position: 2 });
});
