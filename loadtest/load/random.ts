/** Seeded random numbers, so that two runs send the same requests at the same intended times. */

/** A generator of numbers in [0, 1): xoshiro128** (Blackman and Vigna 2021), seeded by splitmix32. */
export function createRandom(seed: number): () => number {
  const state = seedState(seed);
  return () => {
    const [a, b, c, d] = state;
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    const c2 = c ^ a;
    const d2 = d ^ b;
    state[1] = b ^ c2;
    state[0] = a ^ d2;
    state[2] = c2 ^ shifted;
    state[3] = rotateLeft(d2, 11);
    return result / 2 ** 32;
  };
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function seedState(seed: number): [number, number, number, number] {
  // Both halves of the seed count: seeds may be any safe integer.
  let mixed = (seed | 0) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b);
  const next = (): number => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return word ^ (word >>> 15);
  };
  return [next(), next(), next(), next()];
}

/** A shuffled copy (Fisher and Yates). */
export function shuffle<Item>(items: readonly Item[], random: () => number): Item[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const item = shuffled[last] as Item;
    shuffled[last] = shuffled[other] as Item;
    shuffled[other] = item;
  }
  return shuffled;
}

/** Times from 0 on of a Poisson process: gaps are exponential with mean 1 / rate. */
export function poissonArrivalsMs(count: number, perSecond: number, random: () => number): number[] {
  let timeMs = 0;
  return Array.from({ length: count }, () => {
    timeMs -= (Math.log(1 - random()) / perSecond) * 1000;
    return timeMs;
  });
}

/** A 32-bit number for a text (FNV-1a over UTF-16 units). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
