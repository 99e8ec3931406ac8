/** Texts of the same openings under settings that cost the same. */
import { generate, inParallel, mean } from './open-model.js';

/** Openings whose texts say what a setting costs. */
const COSTED_OPENINGS = 16;
const COSTED_CHUNKS = 30;
const SHOWN_CHUNKS = 40;
const ROWS = 16;
const SEED = 11;
/** Costs are equal when they differ by no more than this share. */
const TOLERANCE = 0.05;
const MOST_CANDIDATES = 1600;

/** Mean draws a chunk of texts under a setting. */
async function costOf({ engine, K }, documents, sampling) {
  const texts = await inParallel(COSTED_OPENINGS, ROWS, i =>
    generate(engine, K, documents[i].slice(0, 8), COSTED_CHUNKS, { ...sampling, seed: i }),
  );
  return mean(texts.flat().map(event => event.draws));
}

/** The number of candidates with which a setting costs about `target` draws a chunk: { numCandidates, cost }. */
async function candidatesFor(opened, documents, sampling, target) {
  const costWith = numCandidates => costOf(opened, documents, { ...sampling, numCandidates });
  let low = 1;
  let high = MOST_CANDIDATES;
  let best = null;
  while (low <= high) {
    // N matters by its ratios: the middle of 1 and 1600 is 40.
    const numCandidates = Math.round(Math.sqrt(low * high));
    const cost = await costWith(numCandidates);
    if (best === null || Math.abs(cost - target) < Math.abs(best.cost - target))
      best = { numCandidates, cost };
    if (Math.abs(cost - target) <= (TOLERANCE / 2) * target) break;
    if (cost < target) low = numCandidates + 1;
    else high = numCandidates - 1;
  }
  return best;
}

/** Unedited continuations of the same openings at the cost that T = 1/2 has under the chunk law with N candidates. */
export async function showSamples(opened, documents, N) {
  const { engine, encoding, K } = opened;
  const reference = { temperature: 0.5, temperatureLaw: 'chunk', numCandidates: N };
  const target = await costOf(opened, documents, reference);
  const settings = [
    { temperature: 1, numCandidates: 1, cost: 1 },
    { ...reference, cost: target },
  ];
  for (const sampling of [
    { temperature: 0.5, temperatureLaw: 'token' },
    { temperature: 1 / 3, temperatureLaw: 'chunk' },
    { temperature: 1 / 3, temperatureLaw: 'token' },
    { temperature: 1 / 3, temperatureLaw: 'chunk', sampler: 'pool' },
  ]) {
    process.stderr.write(`samples: N for T = ${sampling.temperature.toFixed(2)}\n`);
    settings.push({ ...sampling, ...(await candidatesFor(opened, documents, sampling, target)) });
  }
  const unequal = settings.slice(1).filter(({ cost }) => Math.abs(cost - target) > TOLERANCE * target);
  console.log(
    `\nUnedited, the same openings and seed. All but T = 1 at the cost of T = 1/2 under the chunk law, N = ${N}: within 5 % of ` +
      `${target.toFixed(1)} draws a chunk over ${COSTED_OPENINGS} texts${unequal.length > 0 ? `, but for ${unequal.length} that cannot be` : ''}. ` +
      'The draws of the texts shown are their own.\n',
  );
  // Most stories begin alike: one that does, and one that does not.
  const usual = documents[3];
  const other = documents.find(([firstToken]) => firstToken !== usual[0]);
  for (const document of [usual, other]) {
    const opening = document.slice(0, 8);
    for (const { cost, ...sampling } of settings) {
      const events = await generate(engine, K, opening, SHOWN_CHUNKS, { ...sampling, seed: SEED });
      const text = encoding
        .decode([...opening, ...events.flatMap(event => event.tokens)])
        .replaceAll(/\s+/g, ' ');
      const own = mean(events.map(event => event.draws)).toFixed(0);
      const name =
        sampling.temperature === 1
          ? 'plain'
          : `${sampling.temperatureLaw} law, ${sampling.sampler ?? 'auto'}, N = ${sampling.numCandidates}`;
      console.log(
        `- **T = ${sampling.temperature.toFixed(2)}, ${name}, ${cost.toFixed(1)} draws a chunk (here ${own})**: ${text}`,
      );
    }
    console.log();
  }
}
