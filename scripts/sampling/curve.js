/** How good and how varied continuations are: the accuracy and collision of the paper's section 7.5. */
import { noiseSourceOf } from '../../dist/runtime/noise-source.js';
import {
  cutContexts,
  generate,
  inParallel,
  mean,
  openModel,
  percent,
  printHeader,
  printRow,
} from './open-model.js';

/** Geometric mean over n = 1..4 of the shares of agreeing beginnings of n tokens: the axes of the paper's section 7.5. */
function agreement(pairs) {
  const shares = [1, 2, 3, 4].map(n =>
    mean(pairs.map(([a, b]) => Number(a.slice(0, n).join() === b.slice(0, n).join()))),
  );
  return { shares, score: shares.reduce((product, share) => product * share, 1) ** (1 / 4) };
}

/** Accuracy against the text's own next four tokens, and collision of two continuations. */
async function measurePoint({ engine, K }, contexts, rows, sampling) {
  const continuations = await inParallel(contexts.length, rows, async i => {
    const texts = [];
    for (const seed of [2 * i, 2 * i + 1]) {
      const events = await generate(engine, K, contexts[i].prompt, Math.ceil(4 / K), { ...sampling, seed });
      texts.push({
        tokens: events.flatMap(event => event.tokens).slice(0, 4),
        draws: events.map(e => e.draws),
      });
    }
    return texts;
  });
  const accuracy = agreement(
    continuations.flatMap((texts, i) => texts.map(({ tokens }) => [tokens, contexts[i].truth])),
  );
  const collision = agreement(continuations.map(([a, b]) => [a.tokens, b.tokens]));
  const draws = mean(continuations.flat().flatMap(text => text.draws));
  return {
    ...sampling,
    accuracy: accuracy.score,
    collision: collision.score,
    accuracies: accuracy.shares,
    draws,
  };
}

/** The head's noise, scaled: it hardly acts, because the head's LayerNorm undoes it. */
function scaledNoise(manifest, scale) {
  const fillNoise = noiseSourceOf(manifest);
  return (out, offset, size, key) => {
    fillNoise(out, offset, size, key);
    for (let i = offset; i < offset + size; i += 1) out[i] *= scale;
  };
}

/** Accuracy against collision as T and N vary, for both laws, for scaled noise, and for a token model beside them. */
export async function measureCurve(
  opened,
  documents,
  { directory, baseline, contexts: count, candidates: N, rows, threads },
) {
  const contexts = cutContexts(documents, count, 4);
  const byTemperature = [2, 1.5, 1.25, 1, 0.8, 0.6, 0.5, 0.4, 1 / 3, 0.25];
  const series = ['chunk', 'token'].flatMap(temperatureLaw => [
    {
      name: `${temperatureLaw} law, T = 2 to 1/4, N = ${N}`,
      settings: byTemperature.map(temperature => ({ temperature, temperatureLaw, numCandidates: N })),
    },
    {
      name: `${temperatureLaw} law, T = 1/3, N = 1 to ${N}`,
      settings: [1, 10, 25, 50, 100, N].map(numCandidates => ({
        temperature: 1 / 3,
        temperatureLaw,
        sampler: 'pool',
        numCandidates,
      })),
    },
  ]);
  const curves = [];
  console.log(
    `\nAccuracy and collision over ${contexts.length} held-out contexts, geometric means over 1 to 4 tokens:\n`,
  );
  printHeader(['series', 'T', 'N', 'draws a chunk', 'accuracy', 'collision', 'first token right']);
  const measure = async (model, name, setting) => {
    const point = await measurePoint(model, contexts, rows, setting);
    printRow([
      name,
      point.temperature.toFixed(2),
      point.numCandidates ?? '',
      point.draws.toFixed(1),
      percent(point.accuracy),
      percent(point.collision),
      percent(point.accuracies[0]),
    ]);
    return point;
  };
  const measureAll = async (model, name, settings) => {
    const points = [];
    for (const setting of settings) points.push(await measure(model, name, setting));
    curves.push({ name, points });
  };
  for (const { name, settings } of series) await measureAll(opened, name, settings);
  const scaledPoints = [];
  for (const scale of [0.25, 0.5, 2, 4]) {
    const scaled = openModel(directory, { slots: rows, threads, noise: scaledNoise(opened.manifest, scale) });
    scaledPoints.push(await measure(scaled, `noise scaled by ${scale}`, { temperature: 1 }));
    await scaled.close();
  }
  if (baseline) {
    const tokenModel = openModel(baseline, { slots: rows, threads });
    if (
      JSON.stringify(tokenModel.encoding.encode('Once upon a time')) !==
      JSON.stringify(opened.encoding.encode('Once upon a time'))
    )
      throw new Error('the baseline has another tokenizer, so its tokens are not comparable');
    await measureAll(
      tokenModel,
      'token baseline, T = 1 to 0.3',
      [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3].map(temperature => ({ temperature })),
    );
    await tokenModel.close();
  }
  curves.push({ name: 'T = 1, noise scaled by 1/4, 1/2, 2, 4', points: scaledPoints, isScattered: true });
  return curves;
}
