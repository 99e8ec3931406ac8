/**
 * The laws of the sampler on a distribution that is known from counts alone, and tests of other counts against them.
 * Chunks of two tokens: the token law is written out for K = 2.
 */
import { logGamma } from '../../dist/sampler/pool-weights.js';
import { exponentOf, shortCoinPasses } from '../../dist/sampler/power.js';
import { sum } from './open-model.js';

/** Outcomes that are expected less often are tested together with none: their counts are not normal. */
const LEAST_EXPECTED = 20;

/**
 * What a probability p weighs: p^(1/T), or p f(p) of the short coin, with which `auto` draws between T = 1/2 and 1.
 */
export function weightOf(temperature, coin = 'exact') {
  const { repeats, fraction } = exponentOf(temperature);
  if (coin === 'short' && repeats === 1 && fraction > 0) return p => p * shortCoinPasses(fraction, p);
  return p => p ** (repeats + fraction);
}

/** d ln w / d ln p. */
function elasticityOf(weight) {
  const step = 1e-4;
  return p => (Math.log(weight(p * (1 + step))) - Math.log(weight(p))) / Math.log1p(step);
}

const firstOf = name => name.split(',')[0];

/** Sums of a Map's values by the first tokens of its names. */
export function byFirstToken(values) {
  const sums = new Map();
  for (const [name, value] of values) sums.set(firstOf(name), (sums.get(firstOf(name)) ?? 0) + value);
  return sums;
}

export function normalized(weights) {
  const total = sum(weights.values());
  return new Map([...weights].map(([name, weight]) => [name, weight / total]));
}

/** w(P) / Z of whole chunks, or w of one token after the other. */
export function lawOf(P, weight, temperatureLaw) {
  if (temperatureLaw === 'chunk') return normalized(new Map([...P].map(([name, p]) => [name, weight(p)])));
  const first = byFirstToken(P);
  const firstLaw = normalized(new Map([...first].map(([token, p]) => [token, weight(p)])));
  const weights = new Map([...P].map(([name, p]) => [name, weight(p / first.get(firstOf(name)))]));
  const below = byFirstToken(weights);
  return new Map(
    [...weights].map(([name, w]) => [name, (firstLaw.get(firstOf(name)) * w) / below.get(firstOf(name))]),
  );
}

/** Share of pairs that agree, without bias. */
export function collisionOf(counts) {
  const n = sum(counts.values());
  return sum([...counts.values()].map(c => (c * (c - 1)) / (n * (n - 1))));
}

/** Half the sum of absolute differences. */
export function totalVariation(one, other) {
  const names = new Set([...one.keys(), ...other.keys()]);
  return sum([...names].map(name => Math.abs((one.get(name) ?? 0) - (other.get(name) ?? 0)))) / 2;
}

/**
 * How the logarithms of some outcomes' law move with each p of P, times sqrt(p): the rows whose products are the
 * covariance of those logarithms for one draw of P (delta method; a common factor of all p moves nothing).
 */
function responses(P, weight, temperatureLaw, names) {
  const elasticity = elasticityOf(weight);
  const all = [...P];
  if (temperatureLaw === 'chunk') {
    const law = lawOf(P, weight, 'chunk');
    const common = all.map(([name, p]) => (-law.get(name) * elasticity(p)) / Math.sqrt(p));
    return names.map(name => {
      const own = elasticity(P.get(name)) / Math.sqrt(P.get(name));
      return all.map(([other], l) => common[l] + (other === name ? own : 0));
    });
  }
  const first = byFirstToken(P);
  const firstLaw = normalized(new Map([...first].map(([token, p]) => [token, weight(p)])));
  const conditional = new Map(all.map(([name, p]) => [name, p / first.get(firstOf(name))]));
  const below = byFirstToken(new Map([...conditional].map(([name, u]) => [name, weight(u)])));
  /** Of the law given the first token: each outcome's share times its elasticity. */
  const shares = new Map(
    [...conditional].map(([name, u]) => [name, (weight(u) / below.get(firstOf(name))) * elasticity(u)]),
  );
  const shareSums = byFirstToken(shares);
  const common = all.map(([name, p]) => {
    const f = first.get(firstOf(name));
    return ((-firstLaw.get(firstOf(name)) * elasticity(f)) / f) * Math.sqrt(p);
  });
  return names.map(name => {
    const token = firstOf(name);
    const f = first.get(token);
    const own = elasticity(conditional.get(name));
    const sameFirst = elasticity(f) / f - own / f + shareSums.get(token) / f;
    return all.map(([other, p], l) => {
      if (firstOf(other) !== token) return common[l];
      const same = other === name ? own / p : 0;
      return common[l] + (sameFirst + same - shares.get(other) / p) * Math.sqrt(p);
    });
  });
}

const dot = (a, b) => {
  let total = 0;
  for (let i = 0; i < a.length; i += 1) total += a[i] * b[i];
  return total;
};

/**
 * The outcomes of a law that `total` chunks are expected to show 20 times or more, and the covariance of the
 * difference between their shares and the law as the pool has it: the chunks' own noise and the pool's.
 */
export function frequentOutcomes({ P, poolSize }, weight, temperatureLaw, total) {
  const law = lawOf(P, weight, temperatureLaw);
  const names = [...law.keys()].filter(name => law.get(name) * total >= LEAST_EXPECTED);
  const q = names.map(name => law.get(name));
  const rows = responses(P, weight, temperatureLaw, names);
  const covariance = q.map((qi, i) =>
    q.map((qj, j) => {
      const own = ((i === j ? qi : 0) - qi * qj) / total;
      return own + (qi * qj * dot(rows[i], rows[j])) / poolSize;
    }),
  );
  return { names, q, covariance };
}

/** Chi-square of counts against a law: { statistic, cells }, `cells` being its degrees of freedom. */
export function chiSquare(counts, { names, q, covariance }) {
  const total = sum(counts.values());
  const differences = names.map((name, i) => (counts.get(name) ?? 0) / total - q[i]);
  return { statistic: quadraticForm(covariance, differences), cells: names.length };
}

/** d' C^-1 d by Cholesky's decomposition. A law of few outcomes has next to no rest: there C needs the little it gets. */
function quadraticForm(matrix, vector) {
  const n = vector.length;
  const lower = matrix.map(row => row.slice());
  const solved = vector.slice();
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let value = matrix[i][j];
      for (let k = 0; k < j; k += 1) value -= lower[i][k] * lower[j][k];
      lower[i][j] = i === j ? Math.sqrt(Math.max(value, 1e-12 * matrix[i][i])) : value / lower[j][j];
    }
    for (let k = 0; k < i; k += 1) solved[i] -= lower[i][k] * solved[k];
    solved[i] /= lower[i][i];
  }
  return dot(solved, solved);
}

/** The distance of counts from a law over its frequent outcomes and all others as one, and the mean of what noise adds. */
export function distanceFrom(counts, { names, q, covariance }) {
  const total = sum(counts.values());
  const seen = names.map(name => (counts.get(name) ?? 0) / total);
  const rest = Math.abs(sum(q) - sum(seen));
  const restVariance = sum(covariance.map(row => sum(row)));
  const deviations = [...covariance.map((row, i) => Math.sqrt(row[i])), Math.sqrt(Math.max(0, restVariance))];
  return {
    distance: (rest + sum(seen.map((share, i) => Math.abs(share - q[i])))) / 2,
    noise: (sum(deviations) * Math.sqrt(2 / Math.PI)) / 2,
  };
}

/** P(chi-square of so many degrees of freedom > statistic): the upper incomplete gamma function. */
export function chiSquareTail(statistic, cells) {
  const a = cells / 2;
  const x = statistic / 2;
  if (cells === 0 || x <= 0) return 1;
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let series = term;
    for (let n = 1; term > 1e-17 * series; n += 1) {
      term *= x / (a + n);
      series += term;
    }
    return Math.max(0, 1 - scale * series);
  }
  // Lentz's continued fraction.
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let i = 1; i < 1000; i += 1) {
    const step = -i * (i - a);
    b += 2;
    d = 1 / (step * d + b);
    c = b + step / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-14) break;
  }
  return scale * fraction;
}

/** A chi-square in standard deviations from its mean. */
export const standardized = ({ statistic, cells }) => (statistic - cells) / Math.sqrt(2 * cells);
