/** Texts of one opening under the settings that cost about the same. */
import { generate, mean } from './open-model.js';

/** Unedited continuations of one opening at about equal cost. */
export async function showSamples({ engine, encoding, K }, documents, N) {
  const opening = documents[3].slice(0, 8);
  const settings = [
    { temperature: 1 },
    { temperature: 0.5, temperatureLaw: 'chunk' },
    { temperature: 0.5, temperatureLaw: 'token' },
    { temperature: 1 / 3, temperatureLaw: 'chunk', numCandidates: 120 },
    { temperature: 1 / 3, temperatureLaw: 'token', numCandidates: 140 },
    { temperature: 1 / 3, temperatureLaw: 'chunk', sampler: 'pool', numCandidates: 140 },
  ];
  console.log('\nUnedited, the same opening and seed:\n');
  for (const setting of settings) {
    const sampling = { numCandidates: N, seed: 11, ...setting };
    const events = await generate(engine, K, opening, 40, sampling);
    const text = encoding
      .decode([...opening, ...events.flatMap(event => event.tokens)])
      .replaceAll(/\s+/g, ' ');
    const draws = mean(events.map(event => event.draws)).toFixed(0);
    const name =
      setting.temperature === 1
        ? 'plain'
        : `${setting.temperatureLaw} law, ${setting.sampler ?? 'auto'}, N = ${sampling.numCandidates}`;
    console.log(`- **T = ${setting.temperature.toFixed(2)}, ${name}, ${draws} draws a chunk**: ${text}`);
  }
}
