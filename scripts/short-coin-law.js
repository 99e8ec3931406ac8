/**
 * How far the law of `auto` between T = 1/2 and 1 lies from P^(1/T) / Z, and what it costs, on laws that are known: exact
 * sums, no simulation. Prints Markdown; docs/sampling.md has its tables.
 *
 *   npm run build && node scripts/short-coin-law.js
 */
import { shortCoinDraws, shortCoinPasses } from '../dist/sampler/power.js';

const TEMPERATURES = [0.6, 0.7, 0.8, 0.9];

const sum = values => values.reduce((a, b) => a + b, 0);
const normalized = weights => {
  const total = sum(weights);
  return weights.map(weight => weight / total);
};
const zipf = (count, exponent) => normalized(Array.from({ length: count }, (_, i) => (i + 1) ** -exponent));
const flat = (count, mass = 1) => new Array(count).fill(mass / count);

const LAWS = {
  'Zipf, exponent 1, 50 outcomes': zipf(50, 1),
  'Zipf, exponent 0.8, 3,000 outcomes': zipf(3000, 0.8),
  'one of 0.9, the rest on 99': [0.9, ...flat(99, 0.1)],
  'one of 0.5, the rest Zipf, exponent 1, on 999': [0.5, ...zipf(999, 1).map(p => p / 2)],
  '400 alike': flat(400),
  'one of 0.1, the rest on 90,000': [0.1, ...flat(90_000, 0.9)],
};

/** Half the sum of absolute differences. */
const totalVariation = (first, second) => sum(first.map((p, i) => Math.abs(p - second[i]))) / 2;

/** The law of `auto`, and the mean number of draws where there is no limit. */
function shortCoinLaw(law, temperature) {
  const fraction = 1 / temperature - 1;
  const weights = law.map(p => p * shortCoinPasses(fraction, p));
  const drawsOfTry = 1 + sum(law.map(p => p * shortCoinDraws(fraction, p)));
  return { law: normalized(weights), draws: drawsOfTry / sum(weights) };
}

function distances(law, temperature) {
  const exact = normalized(law.map(p => p ** (1 / temperature)));
  const distance = totalVariation(shortCoinLaw(law, temperature).law, exact);
  return `${distance.toFixed(3)} (${totalVariation(law, exact).toFixed(3)})`;
}

function printTable(title, columns, cells) {
  console.log(`\n| ${title} | ${columns.join(' | ')} |\n|---|${columns.map(() => '---|').join('')}`);
  for (const [name, law] of Object.entries(LAWS)) console.log(`| ${name} | ${cells(law).join(' | ')} |`);
}

const columns = TEMPERATURES.map(temperature => `T = ${temperature}`);
printTable('distance (of the plain draw)', columns, law =>
  TEMPERATURES.map(temperature => distances(law, temperature)),
);
printTable('draws without a limit', ['T = 0.5', ...columns], law => {
  const draws = [2 / sum(law.map(p => p * p))];
  for (const temperature of TEMPERATURES) draws.push(shortCoinLaw(law, temperature).draws);
  return draws.map(count => count.toFixed(1));
});
