import { describe, expect, test } from 'vitest';
import { type Schedulable, type SchedulePlan, schedule } from './scheduler.js';

interface Item extends Schedulable {
  readonly name: string;
}

/** A waiting request whose prompt has so many chunks. */
const prompt = (name: string, chunks: number): Item => ({ name, cachedChunks: 0, pendingChunks: chunks });
/** A request in the middle of its prompt. */
const parked = (name: string, cachedChunks: number, pendingChunks: number, row: number) => ({
  item: { name, cachedChunks, pendingChunks },
  row,
});
/** A request that decodes. */
const decoding = (name: string, row: number) => parked(name, 5, 1, row);

/** A plan in few words: pieces as "name@row+chunks", moves as "name from>to". */
function words(plan: SchedulePlan<Item>) {
  return {
    moves: plan.moves.map(({ item, from, to }) => `${item.name} ${from}>${to}`),
    admitted: plan.admitted.map(({ item, row }) => `${item.name}@${row}`),
    prefill: plan.prefill.map(({ item, row, chunkCount }) => `${item.name}@${row}+${chunkCount}`),
    decode: plan.decode.map(item => item.name).join(' '),
  };
}

function plan(
  running: { item: Item; row: number }[],
  waiting: Item[],
  slotCount = 4,
  prefillChunksPerStep = 64,
) {
  return words(schedule({ running, waiting, slotCount }, { prefillChunksPerStep }));
}

describe('which work is done', () => {
  test('a prompt prefills all but its last chunk and decodes in the same step', () => {
    expect(plan([], [prompt('a', 10)])).toEqual({
      moves: [],
      admitted: ['a@0'],
      prefill: ['a@0+9'],
      decode: 'a',
    });
  });

  test('a prompt of one chunk has nothing to prefill', () => {
    expect(plan([], [prompt('a', 1)])).toMatchObject({ prefill: [], decode: 'a' });
  });

  test('short prompts share the budget in order of arrival; what does not fit is cut and parked in the top row', () => {
    expect(plan([], [prompt('a', 11), prompt('b', 6), prompt('c', 100), prompt('d', 2)], 4, 32)).toEqual({
      moves: [],
      admitted: ['a@0', 'b@1', 'c@3'],
      prefill: ['a@0+10', 'b@1+5', 'c@3+17'],
      decode: 'a b',
    });
  });

  test('nobody passes a parked prompt', () => {
    const running = [decoding('a', 0), parked('b', 17, 83, 3)];
    expect(plan(running, [prompt('c', 1)], 4, 32)).toMatchObject({
      admitted: [],
      prefill: ['b@3+32'],
      decode: 'a',
    });
  });

  test('no more requests than rows', () => {
    const waiting = ['b', 'c', 'd', 'e', 'f'].map(name => prompt(name, 3));
    expect(plan([decoding('a', 0)], waiting)).toMatchObject({ decode: 'a b c d' });
  });

  test.each([
    // wanted chunks, budget, pieces
    { wanted: 1, budget: 8, pieces: [1] },
    { wanted: 8, budget: 8, pieces: [8] },
    { wanted: 9, budget: 8, pieces: [7, 2] },
    { wanted: 17, budget: 8, pieces: [8, 7, 2] },
    { wanted: 4, budget: 3, pieces: [2, 2] },
    { wanted: 7, budget: 3, pieces: [3, 2, 2] },
  ])(
    '$wanted chunks under a budget of $budget are cut into $pieces: never one alone',
    ({ wanted, budget, pieces }) => {
      const found: number[] = [];
      let item = prompt('a', wanted + 1);
      while (item.pendingChunks > 1) {
        const waiting = found.length === 0 ? [item] : [];
        const running = found.length === 0 ? [] : [{ item, row: 3 }];
        const piece = schedule({ running, waiting, slotCount: 4 }, { prefillChunksPerStep: budget })
          .prefill[0]!;
        found.push(piece.chunkCount);
        item = {
          name: 'a',
          cachedChunks: item.cachedChunks + piece.chunkCount,
          pendingChunks: item.pendingChunks - piece.chunkCount,
        };
      }
      expect(found).toEqual(pieces);
    },
  );

  test('a rest of the budget that could only make a piece of one chunk is left', () => {
    expect(plan([], [prompt('a', 8), prompt('b', 4)], 4, 8)).toMatchObject({
      prefill: ['a@0+7'],
      decode: 'a',
    });
    expect(plan([], [prompt('a', 8), prompt('b', 2)], 4, 8)).toMatchObject({ prefill: ['a@0+7', 'b@1+1'] });
  });
});

describe('where it is done', () => {
  test('a row that became free is given to a prompt that joins, without a copy', () => {
    expect(plan([decoding('a', 0), decoding('c', 2)], [prompt('d', 3)])).toMatchObject({
      moves: [],
      prefill: ['d@1+2'],
      decode: 'a d c',
    });
  });

  test('else the last row of the batch moves into it', () => {
    expect(plan([decoding('a', 0), decoding('c', 2), decoding('d', 3)], [])).toEqual({
      moves: ['d 3>1'],
      admitted: [],
      prefill: [],
      decode: 'a d c',
    });
  });

  test('a parked prompt that is done moves to the end of the batch and is continued there', () => {
    expect(plan([decoding('a', 0), parked('b', 60, 11, 3)], [])).toEqual({
      moves: ['b 3>1'],
      admitted: [],
      prefill: ['b@1+10'],
      decode: 'a b',
    });
  });

  test('or stays where it is, where the batch reaches the top row', () => {
    const running = [decoding('a', 0), decoding('b', 1), decoding('c', 2), parked('d', 60, 11, 3)];
    expect(plan(running, [])).toMatchObject({ moves: [], prefill: ['d@3+10'], decode: 'a b c d' });
  });

  test('the top row is vacated for the next prompt that is parked', () => {
    expect(plan([decoding('a', 0), parked('b', 60, 3, 3)], [prompt('c', 100)], 4, 32)).toMatchObject({
      moves: ['b 3>1'],
      admitted: ['c@3'],
      prefill: ['b@1+2', 'c@3+30'],
      decode: 'a b',
    });
    expect(plan([decoding('a', 0), decoding('b', 3)], [prompt('c', 100)], 4, 32)).toMatchObject({
      moves: ['b 3>1'],
      admitted: ['c@3'],
      decode: 'a b',
    });
  });
});
