/**
 * What `auto` could do between T = 1/2 and 1, side by side, under the chunk law: how far each way is from P^(1/T) / Z and
 * what it costs. Pools of plain draws stand for P. Every way treats outcomes of one probability alike, so its law is known
 * from what it gives to each group of outcomes that the pool holds equally often. How tries end is computed (tries.js);
 * only what decides where the draws run out is simulated.
 */
import { chunkLawDecision } from '../../dist/sampler/exact-chunk-law.js';
import { poolWeights } from '../../dist/sampler/pool-weights.js';
import { exponentOf, mendoCoin, shortCoin } from '../../dist/sampler/power.js';
import { RandomStream } from '../../dist/sampler/uniform.js';
import { cutContexts, mean, percent, printHeader, printRow, sum } from './open-model.js';
import { countChunks } from './pools.js';
import { decide, uniforms } from './simulate.js';
import { decidedShare, renewal, tryLengths } from './tries.js';

const TEMPERATURES = [0.6, 0.7, 0.8, 0.9];
/** Pools, or decisions that end in one, that are simulated for each context and way. */
const SIMULATED = 50;
/** Decisions that are begun for them at most; where fewer end in a pool they hardly weigh. */
const MOST_BEGUN = 200;

/** The short coin of src/sampler/power.ts with another end and another resolution. */
function shortCoinOf(fraction, longestWait, resolution) {
  let longWaits = 1;
  for (let i = 1; i <= longestWait; i += 1) longWaits *= 1 - fraction / i;
  return {
    outright: Math.min(longWaits, resolution ** fraction),
    goOn: misses => (misses < longestWait ? 1 - fraction / misses : 0),
  };
}

/** A context's pool: its draws, and its outcomes in groups of equal counts, { p, size }. */
class Pool {
  constructor(chunks, seed) {
    this.chunks = chunks;
    this.counts = countChunks(chunks);
    const sizes = new Map();
    for (const count of this.counts.values()) sizes.set(count, (sizes.get(count) ?? 0) + 1);
    this.groups = [...sizes].map(([count, size]) => ({ p: count / chunks.length, size }));
    this.groupOf = new Map([...sizes.keys()].map((count, index) => [count, index]));
    this.pick = uniforms(seed);
  }

  /** One of its draws. */
  next = () => this.chunks[Math.floor(this.pick() * this.chunks.length)];

  /** The law that gives each outcome a share proportional to w(p), as the shares of the groups. */
  lawOf(weight) {
    const weights = this.groups.map(({ p, size }) => size * weight(p));
    const total = sum(weights);
    return weights.map(w => w / total);
  }

  /** Adds what the counts of some chunks would choose, { name: count }, to the shares of the groups. */
  addChoice(shares, counted, temperature) {
    const weights = poolWeights([...counted.values()], temperature);
    const total = sum(weights);
    for (const [index, name] of [...counted.keys()].entries()) {
      shares[this.groupOf.get(this.counts.get(name))] += weights[index] / total;
    }
  }

  log2P(law) {
    return sum(law.map((share, i) => share * Math.log2(this.groups[i].p)));
  }
}

/** A way's law, and its cost, on one pool. */
function tries(pool, power, limit, temperature) {
  const groupShare =
    ({ p, size }) =>
    (same, other) =>
      size * p ** same * (1 - p) ** other;
  const lengths = pool.groups.map(group => tryLengths(power, limit, groupShare(group)));
  const failAt = lengths[0].failAt.map((_, i) => sum(lengths.map(each => each.failAt[i])));
  const passAt = lengths[0].passAt.map((_, i) => sum(lengths.map(each => each.passAt[i])));
  const { draws, begunBy, undecided } = renewal({ passAt, failAt }, limit);
  const law = lengths.map(each => decidedShare(each.passAt, begunBy, limit));
  const fallbackLaw = simulateFallbacks(pool, power, limit, temperature);
  return { law: law.map((share, i) => share + undecided * fallbackLaw[i]), draws, fallbacks: undecided };
}

/** What decides in the mean where the draws run out. */
function simulateFallbacks(pool, power, limit, temperature) {
  const shares = pool.groups.map(() => 0);
  let fallbacks = 0;
  const onLimit = (tree, nodes) => {
    fallbacks += 1;
    pool.addChoice(
      shares,
      new Map(nodes.map(node => [tree.chunk(node).join(), tree.count(node)])),
      temperature,
    );
    return nodes[0];
  };
  for (let seed = 0; seed < MOST_BEGUN && fallbacks < SIMULATED; seed += 1) {
    const random = new RandomStream({ seed, choice: 0, step: 0 });
    decide(
      chunkLawDecision(limit, power, onLimit, random, (_, __, left) => left),
      pool.next,
    );
  }
  return fallbacks === 0 ? pool.lawOf(p => p) : shares.map(share => share / fallbacks);
}

function counts(pool, size, temperature) {
  const shares = pool.groups.map(() => 0);
  for (let i = 0; i < SIMULATED; i += 1) {
    pool.addChoice(shares, countChunks(Array.from({ length: size }, pool.next)), temperature);
  }
  return { law: shares.map(share => share / SIMULATED), draws: size, fallbacks: 0 };
}

/** Means over the pools: draws, log2 P of the choice, fallbacks, distance from the exact law. */
function summarize(pools, exact, results) {
  return {
    draws: mean(results.map(result => result.draws)),
    fallbacks: mean(results.map(result => result.fallbacks)),
    log2P: mean(results.map(({ law }, i) => pools[i].log2P(law))),
    distance: mean(results.map(({ law }, i) => sum(law.map((q, g) => Math.abs(q - exact[i][g]))) / 2)),
  };
}

/**
 * T = 1/2 with a probability and T = 1 without: the same one everywhere, as a sampler does not know its context, and such that
 * the mean log2 P of the choice is the exact law's.
 */
function mixture(pools, exact, half) {
  const meanLog = laws => mean(laws.map((law, i) => pools[i].log2P(law)));
  const plain = pools.map(pool => pool.lawOf(p => p));
  const from = meanLog(plain);
  const share = (meanLog(exact) - from) / (meanLog(half.map(({ law }) => law)) - from);
  const results = half.map(({ law, draws, fallbacks }, i) => ({
    law: law.map((q, g) => share * q + (1 - share) * plain[i][g]),
    draws: share * draws + (1 - share),
    fallbacks: share * fallbacks,
  }));
  return { share, results };
}

/** Prints the table of docs/sampling.md for one model; returns its figures. */
export async function measureBetween(source, documents, { contexts: count, candidates: N, poolSize }) {
  const pools = [];
  for (const [index, { prompt }] of cutContexts(documents, count, source.chunkSize).entries()) {
    await source.read(prompt);
    pools.push(new Pool(await source.draw(poolSize), index));
  }
  console.log(
    `\nBetween T = 1/2 and 1: the chunk law on pools of ${poolSize} draws from ${count} held-out contexts. Distance is the total ` +
      'variation from P^(1/T) / Z; log2 P of the choice tells how cold a law is and should meet the first row of its T.\n',
  );
  printHeader(['T', 'way', 'draws', 'log2 P', 'fallbacks', 'distance']);
  const half = pools.map(pool => tries(pool, { repeats: 2 }, N, 0.5));
  const rows = [];
  for (const temperature of TEMPERATURES) {
    process.stderr.write(`between: T = ${temperature}\n`);
    const { repeats, fraction } = exponentOf(temperature);
    const exact = pools.map(pool => pool.lawOf(p => p ** (1 / temperature)));
    const coinWay = (coin, limit) => pools.map(pool => tries(pool, { repeats, coin }, limit, temperature));
    const mixed = mixture(pools, exact, half);
    const exactDraws = ({ groups }) =>
      (1 + sum(groups.map(({ p, size }) => size * p ** fraction))) /
      sum(groups.map(({ p, size }) => size * p ** (1 / temperature)));
    const ways = {
      'exact law, no limit': exact.map((law, i) => ({ law, draws: exactDraws(pools[i]), fallbacks: 0 })),
      [`Mendo's coin, N = ${N}`]: coinWay(mendoCoin(fraction), N),
      "Mendo's coin, N = 50": coinWay(mendoCoin(fraction), 50),
      'short coin, 8 misses, r = 1/200': coinWay(shortCoinOf(fraction, 8, 1 / 200), N),
      'short coin, 16 misses, r = 1/1000 (in use)': coinWay(shortCoin(fraction), N),
      'short coin, 32 misses, r = 1/2000': coinWay(shortCoinOf(fraction, 32, 1 / 2000), N),
      'short coin, 64 misses, r = 1/4000': coinWay(shortCoinOf(fraction, 64, 1 / 4000), N),
      'counts of 100 candidates': pools.map(pool => counts(pool, 100, temperature)),
      [`mixture: T = 1/2 in ${percent(mixed.share)}, else T = 1`]: mixed.results,
      'T = 1/2, for its cost': half,
    };
    for (const [way, results] of Object.entries(ways)) {
      const row = { temperature, way, ...summarize(pools, exact, results) };
      rows.push(row);
      printRow([
        temperature.toFixed(1),
        way,
        row.draws.toFixed(1),
        row.log2P.toFixed(2),
        percent(row.fallbacks),
        row.distance.toFixed(3),
      ]);
    }
  }
  return rows;
}
