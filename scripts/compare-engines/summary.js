/** What the rounds of compare-engines.js say together. Ratios are made in each sitting; then come median and range. */
import { spreadOf } from '../statistics.js';

/** @param {readonly (readonly object[])[]} rounds the sittings of each round */
export function summarize(rounds) {
  const sittings = rounds.flat();
  const keys = [...new Set(sittings.map(({ context, batch }) => `${context} ${batch}`))];
  const points = keys
    .map(key => key.split(' ').map(Number))
    .sort(([context, batch], [otherContext, otherBatch]) => context - otherContext || batch - otherBatch);
  return {
    points: points.map(([context, batch]) =>
      summarizePoint(sittings.filter(sitting => sitting.context === context && sitting.batch === batch)),
    ),
    steps_over_one_row: stepsOverOneRow(rounds),
    probe_over_c_reader: probeOverReader(sittings),
    load_average: spreadOf(sittings.map(({ load_average }) => load_average)),
  };
}

function summarizePoint(sittings) {
  const [{ context, batch }] = sittings;
  const hasCalm = sittings[0].calm !== null;
  const hasLlama = sittings[0].llama !== null;
  const spread = read => spreadOf(sittings.map(read));
  const tokens = key => spread(sitting => sitting[key].tokens_per_second);
  const llama = sitting => sitting.llama.speed_tg;
  return {
    context,
    batch,
    calm: hasCalm ? { tokens_per_second: tokens('calm'), ...roofline(sittings, 'calm') } : null,
    token: { tokens_per_second: tokens('token'), ...roofline(sittings, 'token') },
    llama: hasLlama ? { tokens_per_second: spread(llama) } : null,
    ratios: {
      calm_over_token: hasCalm
        ? spread(({ calm, token }) => calm.tokens_per_second / token.tokens_per_second)
        : null,
      rooflines_calm_over_token: hasCalm
        ? spread(({ calm, token }) => atRoofline(calm) / atRoofline(token))
        : null,
      token_over_llama: hasLlama ? spread(sitting => sitting.token.tokens_per_second / llama(sitting)) : null,
      calm_over_llama:
        hasCalm && hasLlama ? spread(sitting => sitting.calm.tokens_per_second / llama(sitting)) : null,
    },
  };
}

function roofline(sittings, key) {
  return {
    roofline_share: spreadOf(sittings.map(sitting => sitting[key].roofline_share)),
    roofline_bounds: [...new Set(sittings.map(sitting => sitting[key].roofline_bound))],
    flops_per_token: sittings[0][key].flops_per_token,
  };
}

/** Tokens/s if the step took no longer than its roofline. */
function atRoofline({ tokens_per_second, roofline_share }) {
  return tokens_per_second / roofline_share;
}

/** Steps of several rows of the token model over those of one row of the same round and context. */
function stepsOverOneRow(rounds) {
  const ratios = new Map();
  for (const sittings of rounds) {
    for (const { context, batch, token } of sittings) {
      const one = sittings.find(other => other.context === context && other.batch === 1);
      if (batch === 1 || one === undefined) continue;
      const key = `${context} ${batch}`;
      ratios.set(key, [...(ratios.get(key) ?? []), token.step_ms / one.token.step_ms]);
    }
  }
  return [...ratios].map(([key, values]) => {
    const [context, batch] = key.split(' ').map(Number);
    return { context, batch, ratio: spreadOf(values) };
  });
}

/** Sitting by sitting, and the fastest of all runs of one over the fastest of the other. */
function probeOverReader(sittings) {
  const reader = sitting => sitting.c_reader_bytes_per_second;
  const probe = sitting => sitting.probe_bytes_per_second;
  const fastest = read => Math.max(...sittings.map(read));
  return {
    probe_bytes_per_second: spreadOf(sittings.map(probe)),
    c_reader_bytes_per_second: spreadOf(sittings.map(reader)),
    ratio: spreadOf(sittings.map(sitting => probe(sitting) / reader(sitting))),
    ratio_of_fastest: fastest(probe) / fastest(reader),
  };
}
