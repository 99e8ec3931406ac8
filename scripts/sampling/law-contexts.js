/**
 * Contexts in which a test of the laws has something to test: chunks repeat, the chunk law and the token law are far
 * apart, and the exact sampler is affordable. Found among many places of held-out texts and of the model's own.
 */
import { startDecision } from '../../dist/sampler/start-decision.js';
import {
  chiSquare,
  collisionOf,
  frequentOutcomes,
  lawOf,
  normalized,
  standardized,
  totalVariation,
  weightOf,
} from './laws.js';
import { generate, inParallel, mean, sum } from './open-model.js';
import { countChunks } from './pools.js';
import { decide, uniforms } from './simulate.js';

/** Prompts of a multiple of so many chunks, and one more, are wholly in the prefix cache but for the chunk that decodes. */
const BLOCK_CHUNKS = 8;
const FIRST_LOOK_DRAWS = 300;
const SECOND_LOOK_DRAWS = 8_000;
/** Contexts of each kind that are looked at again. */
const SHORTLIST = 6;
/** A decision that takes more draws than this makes its context too dear anyway. */
const SIMULATED_LIMIT = 2_000;
const LAWS = ['chunk', 'token'];

/** Texts that the model writes by itself behind openings of held-out ones. */
export async function writeTexts({ engine, K }, documents, { texts, tokens, rows }) {
  return inParallel(texts, rows, async i => {
    const opening = documents[(7 * i) % documents.length].slice(0, 16);
    const chunks = Math.ceil((tokens - opening.length) / K);
    const events = await generate(engine, K, opening, chunks, { temperature: 0.5, seed: 500_000 + i });
    return [...opening, ...events.flatMap(event => event.tokens)];
  });
}

/** The squared Hellinger distance: bounded, so that a rare outcome of a small pool cannot dominate it. */
function separation(one, other) {
  return 1 - [...one].reduce((total, [name, p]) => total + Math.sqrt(p * other.get(name)), 0);
}

/** How far apart the two laws are where they are closest among some temperatures. */
function leastSeparation(P, temperatures) {
  return Math.min(
    ...temperatures.map(temperature => {
      const weight = weightOf(temperature);
      return separation(lawOf(P, weight, 'chunk'), lawOf(P, weight, 'token'));
    }),
  );
}

/** Draws that the exact sampler needs under the chunk law for T between 1/2 and 1, by formula. */
function expectedChunkDraws(P, temperature) {
  const powerSum = exponent => sum([...P.values()].map(p => p ** exponent));
  return (1 + powerSum(1 / temperature - 1)) / powerSum(1 / temperature);
}

/** Draws that the exact sampler needs under a law, in the mean of some decisions on resampled draws, cut at a limit. */
function exactDraws(pool, temperature, temperatureLaw, decisions) {
  const pick = uniforms(decisions);
  return mean(
    Array.from({ length: decisions }, (_, seed) => {
      const settings = { temperature, temperatureLaw, sampler: 'exact', numCandidates: 1, seed, choice: 0 };
      const decision = startDecision(settings, 0, SIMULATED_LIMIT);
      try {
        return decide(decision, () => pool[Math.floor(pick() * pool.length)]).drawsNeeded;
      } catch (error) {
        if (error.code !== 'sampler_limit') throw error;
        return SIMULATED_LIMIT;
      }
    }),
  );
}

/** z of the chunks of one law against the other, as a sample of `total` chunks would have in the mean. */
function expectedZ({ P, poolSize }, temperature, total) {
  const weight = weightOf(temperature);
  return LAWS.map(law => {
    const other = frequentOutcomes({ P, poolSize }, weight, law === 'chunk' ? 'token' : 'chunk', total);
    const counts = new Map([...lawOf(P, weight, law)].map(([name, q]) => [name, q * total]));
    const { statistic, cells } = chiSquare(counts, other);
    return standardized({ statistic: statistic + cells, cells });
  });
}

/**
 * The best `count` contexts, half of them from each kind of text: { kind, prompt, collision, apart, expectedZ, draws }.
 * `apart` holds the laws' total variation and `expectedZ` the smaller z of the two, by temperature.
 */
export async function findContexts(source, texts, settings) {
  const { count, temperatures, largestDraws, chunksEach, longestTokens, onProgress } = settings;
  const found = [];
  let lookedAt = 0;
  for (const [kind, ofKind] of Object.entries(texts)) {
    const candidates = [];
    for (const [index, tokens] of ofKind.entries()) {
      onProgress(`looking for contexts in ${kind} text ${index + 1} of ${ofKind.length}`);
      const chunks = await source.read(tokens.slice(0, longestTokens));
      for (let state = BLOCK_CHUNKS; state < chunks; state += BLOCK_CHUNKS) {
        lookedAt += 1;
        const P = normalized(countChunks(await source.draw(FIRST_LOOK_DRAWS, state)));
        if (expectedChunkDraws(P, Math.max(...temperatures)) > largestDraws) continue;
        candidates.push({
          kind,
          prompt: tokens.slice(0, 2 * state),
          score: leastSeparation(P, temperatures),
        });
      }
    }
    candidates.sort((a, b) => b.score - a.score);
    const chosen = [];
    for (const candidate of candidates.slice(0, 3 * SHORTLIST)) {
      if (chosen.length === SHORTLIST) break;
      onProgress(`a second look at ${kind} contexts: ${chosen.length + 1} of ${SHORTLIST}`);
      await source.read(candidate.prompt);
      const context = lookAgain(candidate, await source.draw(SECOND_LOOK_DRAWS), settings);
      if (context.draws <= largestDraws) chosen.push(context);
    }
    chosen.sort((a, b) => Math.min(...b.expectedZ.values()) - Math.min(...a.expectedZ.values()));
    found.push(chosen.slice(0, Math.ceil(count / Object.keys(texts).length)));
  }
  return { contexts: found.flat().slice(0, count), lookedAt };

  function lookAgain(candidate, pool) {
    const counts = countChunks(pool);
    const P = normalized(counts);
    const hardest = Math.max(...temperatures);
    return {
      ...candidate,
      collision: collisionOf(counts),
      apart: new Map(
        temperatures.map(t => [t, totalVariation(...LAWS.map(law => lawOf(P, weightOf(t), law)))]),
      ),
      expectedZ: new Map(
        temperatures.map(t => [t, Math.min(...expectedZ({ P, poolSize: pool.length }, t, chunksEach))]),
      ),
      draws: Math.max(...LAWS.map(law => exactDraws(pool, hardest, law, 100))),
    };
  }
}
