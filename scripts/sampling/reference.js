/** The sampler `pool` beside the algorithm that it is to be the law of. */
import { RandomStream } from '../../dist/sampler/uniform.js';
import { cutContexts, generate, mean, percent, printHeader, printRow } from './open-model.js';

/** The paper's Algorithm 2, written from its description: the chunk that a pool of candidates gives at T = 1/n. */
function algorithm2(pool, n, random) {
  const counts = new Map();
  for (const key of pool) counts.set(key, (counts.get(key) ?? 0) + 1);
  for (let m = n; ; m -= 1) {
    const weights = [...counts].map(([key, count]) => {
      let subsets = count < m ? 0 : 1;
      for (let i = 0; i < m; i += 1) subsets *= (count - i) / (i + 1);
      return [key, subsets];
    });
    let left = random() * weights.reduce((total, [, weight]) => total + weight, 0);
    if (left === 0) continue;
    for (const [key, weight] of weights) {
      left -= weight;
      if (left < 0) return key;
    }
  }
}

/** Accuracy and collision of single chunks: `pool`, drawn lazily, and Algorithm 2 on whole pools of plain draws. */
export async function measureReference({ engine, K }, source, documents, { contexts: count, candidates: N }) {
  const contexts = cutContexts(documents, count, K);
  const one = async (i, sampling) =>
    (await generate(engine, K, contexts[i].prompt, 1, { numCandidates: N, ...sampling }))[0].tokens.join();
  const reference = async (i, seed, n) => {
    await source.read(contexts[i].prompt);
    const pool = (await source.draw(N)).map(chunk => chunk.join());
    const random = new RandomStream({ seed: 2 * i + seed, choice: 1, step: n });
    return algorithm2(pool, n, () => random.next());
  };
  console.log(
    `\nSingle chunks after ${contexts.length} held-out contexts, N = ${N}, with standard errors:\n`,
  );
  printHeader(['T', 'algorithm', 'accuracy', 'collision']);
  const share = values => {
    const p = mean(values.map(Number));
    return `${percent(p)} ± ${percent(Math.sqrt((p * (1 - p)) / values.length))}`;
  };
  for (const n of [2, 3]) {
    const drawers = {
      '`pool`, drawn lazily': (i, seed) =>
        one(i, { temperature: 1 / n, sampler: 'pool', temperatureLaw: 'chunk', seed: 1000 + 2 * i + seed }),
      'Algorithm 2 on 200 plain draws': (i, seed) => reference(i, seed, n),
    };
    for (const [name, draw] of Object.entries(drawers)) {
      const chosen = [];
      for (const i of contexts.keys()) chosen.push([await draw(i, 0), await draw(i, 1)]);
      printRow([
        (1 / n).toFixed(2),
        name,
        share(chosen.flatMap((pair, i) => pair.map(key => key === contexts[i].truth.join()))),
        share(chosen.map(([a, b]) => a === b)),
      ]);
    }
  }
}
