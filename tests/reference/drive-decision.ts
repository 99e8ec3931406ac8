/** Runs a decision to its end with candidates from a function, as a model would. */
import type { Chunk, ChunkChoice, ChunkDecision, Wish } from '../../src/sampler/decision.js';
import { RandomStream } from '../../src/sampler/uniform.js';

/** `draw` is called with the candidates' numbers, in order, each once. */
export function driveDecision(decision: ChunkDecision, draw: (candidate: number) => Chunk): ChunkChoice {
  let drawn = 0;
  let wish = decision.next([]);
  while (!wish.done) {
    if (typeof wish.value !== 'number') throw new Error('a wish for parts of candidates');
    if (!(Number.isInteger(wish.value) && wish.value >= 1)) throw new Error(`a wish for ${wish.value}`);
    wish = decision.next(Array.from({ length: wish.value }, () => draw(drawn++)));
  }
  return wish.value;
}

/** The same for a model that decodes token by token; counts the tokens that it decodes. */
export function drivePartialDecision(
  decision: ChunkDecision,
  draw: (candidate: number) => Chunk,
): ChunkChoice & { readonly decodedTokens: number } {
  const candidates: Chunk[] = [];
  const answer = (wish: Wish): Chunk[] => {
    if (typeof wish !== 'number' && wish.kind === 'tokens') {
      return wish.tokens.map(({ candidate, position }) => [candidates[candidate]![position]!]);
    }
    const count = typeof wish === 'number' ? wish : wish.count;
    const fresh = Array.from({ length: count }, (_, i) => draw(candidates.length + i));
    candidates.push(...fresh);
    return typeof wish === 'number' ? fresh : fresh.map(chunk => [chunk[wish.position]!]);
  };
  let decodedTokens = 0;
  let wish = decision.next([]);
  while (!wish.done) {
    const tokens = answer(wish.value);
    decodedTokens += tokens.flat().length;
    wish = decision.next(tokens);
  }
  return { ...wish.value, decodedTokens };
}

/** A source of independent chunks of one token; token i has probability law[i]. */
export function sourceOf(law: readonly number[], seed: number): (candidate: number) => Chunk {
  const random = new RandomStream({ seed, choice: 7, step: 7 });
  let sum = 0;
  const cumulative = law.map(probability => {
    sum += probability;
    return sum;
  });
  return () => {
    const target = random.next() * sum;
    let low = 0;
    let high = law.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (target < cumulative[middle]!) high = middle;
      else low = middle + 1;
    }
    return [low];
  };
}
