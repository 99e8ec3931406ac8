import { expect, test } from 'vitest';
import { driveDecision } from '../../tests/reference/drive-decision.js';
import type { Chunk } from './decision.js';
import { pluralityDecision } from './plurality.js';
import { RandomStream } from './uniform.js';

const letters = (text: string): Chunk[] => [...text].map(letter => [letter.charCodeAt(0)]);
const decide = (text: string, smallestRound = 1) => {
  const pool = letters(text);
  const { chunk, draws } = driveDecision(
    pluralityDecision(pool.length, 'chunk', smallestRound),
    i => pool[i]!,
  );
  return { letter: String.fromCharCode(chunk[0]!), draws };
};

/** The slow twin: count everything, the first seen wins a tie. */
function fullPlurality(text: string): string {
  const counts = new Map<string, number>();
  for (const letter of text) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best))[0];
}

test.each([
  { text: 'AAAAAAAA', letter: 'A', draws: 4 }, // B could tie at best, and was seen later
  { text: 'ABABABAB', letter: 'A', draws: 7 }, // at 4 to 3 with one to come
  { text: 'BAAAAAAA', letter: 'A', draws: 6 }, // 4 to 1 could end in a tie, which B would win
  { text: 'ABCDEFGH', letter: 'A', draws: 8 },
  { text: 'ABBACCC', letter: 'C', draws: 7 },
  { text: 'A', letter: 'A', draws: 1 },
])('$text: $letter after $draws candidates', ({ text, letter, draws }) => {
  expect(decide(text)).toEqual({ letter, draws });
});

test('is the plurality of the whole pool, however it is drawn, and stops at the first moment it can', () => {
  const random = new RandomStream({ seed: 1, choice: 0, step: 0 });
  for (let trial = 0; trial < 3000; trial += 1) {
    const size = 1 + Math.floor(random.next() * 30);
    const kinds = 1 + Math.floor(random.next() * 5);
    const text = Array.from({ length: size }, () => 'ABCDE'[Math.floor(random.next() * kinds)]).join('');
    const wanted = fullPlurality(text);
    const results = [1, 3, 8, 100].map(smallestRound => decide(text, smallestRound));
    expect(results.map(({ letter }) => letter)).toEqual([wanted, wanted, wanted, wanted]);
    // Decided after d candidates: no ending of the pool changes the answer. After d - 1, some ending does.
    const { draws } = results[0]!;
    if (draws > 1) expect(challengers(text.slice(0, draws - 1), size, wanted)).toBe(true);
    expect(challengers(text.slice(0, draws), size, wanted)).toBe(false);
  }
});

/** Can the plurality still be another letter, if the rest of the pool is all one letter? */
function challengers(seen: string, size: number, wanted: string): boolean {
  return [...'ABCDEZ'].some(letter => fullPlurality(seen + letter.repeat(size - seen.length)) !== wanted);
}

test('token by token: the plurality of each position of the whole pool, below the tokens chosen before', () => {
  const random = new RandomStream({ seed: 2, choice: 0, step: 0 });
  for (let trial = 0; trial < 1000; trial += 1) {
    const size = 1 + Math.floor(random.next() * 25);
    const token = () => Math.floor(random.next() ** 2 * 3);
    const pool = Array.from({ length: size }, () => [token(), token(), token()]);
    const results = [1, 4, 100].map(smallestRound =>
      driveDecision(pluralityDecision(size, 'token', smallestRound), i => pool[i]!).chunk.join(),
    );
    const wanted = [0, 1, 2].reduce(prefix => {
      const below = pool.filter(chunk => chunk.join('').startsWith(prefix));
      return prefix + fullPlurality(below.map(chunk => String(chunk[prefix.length])).join(''));
    }, '');
    expect(results.map(chunk => chunk.replaceAll(',', ''))).toEqual([wanted, wanted, wanted]);
  }
});

test('token by token is not chunk by chunk', () => {
  const pool = [
    [1, 1],
    [2, 1],
    [2, 2],
    [2, 3],
    [1, 1],
  ];
  const decide = (law: 'token' | 'chunk') => driveDecision(pluralityDecision(5, law), i => pool[i]!).chunk;
  expect([decide('chunk'), decide('token')]).toEqual([
    [1, 1],
    [2, 1],
  ]);
});
