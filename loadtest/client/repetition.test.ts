import { describe, expect, it } from 'vitest';
import { createRandom } from '../load/random.js';
import { findLoop } from './repetition.js';

/** The definition, word by word. */
function findLoopSlowly(text: string, leastLength: number): boolean {
  for (let suffix = text.length; suffix >= Math.max(leastLength, text.length / 2); suffix--) {
    const end = text.slice(text.length - suffix);
    for (let period = 1; 4 * period <= suffix; period++) {
      if (end.slice(period) === end.slice(0, suffix - period)) return true;
    }
  }
  return false;
}

describe('findLoop', () => {
  it('finds a phrase that fills the second half', () => {
    const phrase = 'and then the cat sat down. ';
    expect(findLoop(`A story began in a garden far away from here. ${phrase.repeat(8)}`, 64)).toBe(
      phrase.length,
    );
    expect(findLoop('x'.repeat(64), 64)).toBe(1);
  });

  it('lets texts be that repeat for a while and go on', () => {
    const text = `He laughed: ${'ha '.repeat(30)}and then he stopped, because the old king had come into the room, and
      everybody stood up and looked at the floor while the clock went on counting the minutes.`;
    expect(findLoop(text, 64)).toBeNull();
    expect(findLoop('x'.repeat(63), 64)).toBeNull();
    expect(findLoop('', 64)).toBeNull();
  });

  it('finds loops of token ids', () => {
    expect(findLoop([5, 9, 1, ...Array.from({ length: 40 }, (_, index) => 100 + (index % 4))], 32)).toBe(4);
    expect(
      findLoop(
        Array.from({ length: 64 }, (_, index) => index),
        32,
      ),
    ).toBeNull();
  });

  it('agrees with the definition on random texts of few letters', () => {
    const random = createRandom(3);
    let found = 0;
    for (let round = 0; round < 400; round++) {
      const head = Array.from(
        { length: Math.floor(random() * 20) },
        () => 'ab'[Math.floor(random() * 2)],
      ).join('');
      const part = Array.from(
        { length: 1 + Math.floor(random() * 5) },
        () => 'ab'[Math.floor(random() * 2)],
      ).join('');
      const text = head + part.repeat(1 + Math.floor(random() * 6));
      expect(findLoop(text, 8) !== null, text).toBe(findLoopSlowly(text, 8));
      if (findLoop(text, 8) !== null) found++;
    }
    expect(found).toBeGreaterThan(50);
    expect(found).toBeLessThan(350);
  });
});
