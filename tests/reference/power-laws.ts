/** The temperature laws on a source whose probabilities are known, by their definitions. */
import type { Chunk } from '../../src/sampler/decision.js';
import { shortCoinPasses } from '../../src/sampler/power.js';
import { sourceOf } from './drive-decision.js';

/** Probability of each chunk, keyed by its tokens joined with commas. */
export type JointLaw = ReadonlyMap<string, number>;

/** P(chunk)^(1/T) / Z. */
export function chunkLaw(joint: JointLaw, temperature: number): Map<string, number> {
  return normalized(new Map([...joint].map(([key, p]) => [key, p ** (1 / temperature)] as const)));
}

/** The product over positions of P(token | tokens before it)^(1/T) / Z. */
export function tokenLaw(joint: JointLaw, temperature: number): Map<string, number> {
  return reweighted(joint, conditional => chunkLaw(conditional, temperature));
}

/**
 * The law of `auto` between T = 1/2 and 1: P f(P) / Z over chunks, f(p) the probability that p passes the short coin.
 */
export function shortCoinChunkLaw(joint: JointLaw, temperature: number): Map<string, number> {
  return normalized(
    new Map([...joint].map(([key, p]) => [key, p * shortCoinPasses(1 / temperature - 1, p)] as const)),
  );
}

/** The same position by position. */
export function shortCoinTokenLaw(joint: JointLaw, temperature: number): Map<string, number> {
  return reweighted(joint, conditional => shortCoinChunkLaw(conditional, temperature));
}

/** Some change of every conditional law of the next token. */
export function reweighted(
  joint: JointLaw,
  change: (conditional: JointLaw) => ReadonlyMap<string, number>,
): Map<string, number> {
  const law = new Map<string, number>();
  const visit = (prefix: readonly string[], rest: JointLaw, probability: number) => {
    if ([...rest.keys()].join('') === '') {
      law.set(prefix.join(), probability);
      return;
    }
    const first = new Map<string, number>();
    for (const [key, p] of rest) {
      const token = key.split(',')[0]!;
      first.set(token, (first.get(token) ?? 0) + p);
    }
    for (const [token, weight] of change(normalized(first))) {
      const below = [...rest].filter(([key]) => key.split(',')[0] === token);
      const tails = new Map(below.map(([key, p]) => [key.split(',').slice(1).join(), p] as const));
      visit([...prefix, token], tails, probability * weight);
    }
  };
  visit([], joint, 1);
  return law;
}

/** Independent chunks of this law, in order. */
export function chunksOf(joint: JointLaw, seed: number): (candidate: number) => Chunk {
  const chunks = [...joint.keys()].map(key => key.split(',').map(Number));
  const draw = sourceOf([...joint.values()], seed);
  return candidate => chunks[draw(candidate)[0]!]!;
}

/** Half the sum of absolute differences: the total variation distance. */
export function totalVariation(
  first: ReadonlyMap<string, number>,
  second: ReadonlyMap<string, number>,
): number {
  let sum = 0;
  for (const key of new Set([...first.keys(), ...second.keys()])) {
    sum += Math.abs((first.get(key) ?? 0) - (second.get(key) ?? 0));
  }
  return sum / 2;
}

function normalized(weights: JointLaw): Map<string, number> {
  const total = [...weights.values()].reduce((a, b) => a + b, 0);
  return new Map([...weights].map(([key, weight]) => [key, weight / total] as const));
}
