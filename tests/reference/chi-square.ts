/** Pearson's chi-square test: does a sample of outcomes follow a law? */

/**
 * Probability of a deviation at least as large as the observed one if the law is right. Outcomes that the law
 * forbids give 0. Cells that the law expects fewer than 5 times are joined.
 *
 * `counts` and `law` are keyed alike; the law's probabilities sum to 1.
 */
export function chiSquareProbability(
  counts: ReadonlyMap<string, number>,
  law: ReadonlyMap<string, number>,
): number {
  const total = [...counts.values()].reduce((a, b) => a + b, 0);
  let statistic = 0;
  let cells = 0;
  const rest = { observed: 0, expected: 0 };
  for (const [outcome, probability] of law) {
    const cell = { observed: counts.get(outcome) ?? 0, expected: probability * total };
    if (probability === 0 && cell.observed > 0) return 0;
    if (cell.expected < 5) {
      rest.observed += cell.observed;
      rest.expected += cell.expected;
      continue;
    }
    statistic += (cell.observed - cell.expected) ** 2 / cell.expected;
    cells += 1;
  }
  for (const outcome of counts.keys()) if (!law.has(outcome)) return 0;
  if (rest.expected >= 1) {
    statistic += (rest.observed - rest.expected) ** 2 / rest.expected;
    cells += 1;
  }
  return upperGamma((cells - 1) / 2, statistic / 2);
}

/** The same for two samples: do they follow one law? (Two-sample test for counts of two histograms.) */
export function twoSampleProbability(
  first: ReadonlyMap<string, number>,
  second: ReadonlyMap<string, number>,
): number {
  const sum = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((a, b) => a + b, 0);
  const [firstTotal, secondTotal] = [sum(first), sum(second)];
  const scale = Math.sqrt(secondTotal / firstTotal);
  let statistic = 0;
  let cells = 0;
  const rest = { a: 0, b: 0 };
  const add = (a: number, b: number) => {
    statistic += (scale * a - b / scale) ** 2 / (a + b);
    cells += 1;
  };
  for (const outcome of new Set([...first.keys(), ...second.keys()])) {
    const a = first.get(outcome) ?? 0;
    const b = second.get(outcome) ?? 0;
    if (a + b >= 10) add(a, b);
    else {
      rest.a += a;
      rest.b += b;
    }
  }
  if (rest.a + rest.b > 0) add(rest.a, rest.b);
  return upperGamma((cells - 1) / 2, statistic / 2);
}

/** Counts of the outcomes of `trials` calls. */
export function tally(trials: number, outcome: (trial: number) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (let trial = 0; trial < trials; trial += 1) {
    const key = outcome(trial);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** Regularized upper incomplete gamma function Q(a, x); Numerical Recipes, 6.2. Q(0, x) is 1. */
function upperGamma(a: number, x: number): number {
  if (a === 0 || x <= 0) return 1;
  const front = Math.exp(-x + a * Math.log(x) - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; n < 1000; n += 1) {
      term *= x / (a + n);
      sum += term;
    }
    return 1 - sum * front;
  }
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let h = d;
  for (let n = 1; n < 1000; n += 1) {
    const an = -n * (n - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    h *= d * c;
  }
  return front * h;
}

/** Stirling's series after shifting the argument up. */
function logGamma(value: number): number {
  let shift = 0;
  let x = value;
  for (; x < 10; x += 1) shift -= Math.log(x);
  return (
    shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3)
  );
}
