/** The report of compare-engines.js for people. */
import { spreadText } from '../statistics.js';

/** @param {object} report as in the JSON */
export function reportMarkdown({ machine, summary, rounds }) {
  const { points, steps_over_one_row: steps, probe_over_c_reader: probe } = summary;
  const names = namesOf(rounds);
  return [
    machineText(machine, summary),
    `Tokens/s, median of ${rounds.length} rounds (least to most); share: of the roofline by the rates of the same process.`,
    speedTable(points, names),
    'Ratios of tokens/s, each within one sitting, median (least to most):',
    ratioTable(points, names),
    `A step of several rows of ${names.token} over one row's, same round, median (least to most): ${steps
      .map(({ context, batch, ratio }) => `context ${context}, ${batch} rows: ${spreadText(ratio)}`)
      .join('; ')}.`,
    probeText(probe, machine),
    ['Commands of the first round:', '', '```', ...commandLines(rounds[0]), '```'].join('\n'),
  ].join('\n\n');
}

function namesOf(rounds) {
  const sittings = rounds.flat();
  const named = key => sittings.find(sitting => sitting[key] !== null)?.[key];
  return { calm: named('calm')?.model, token: named('token').model };
}

function machineText(machine, { load_average }) {
  const gib = (machine.memory_bytes / 2 ** 30).toFixed(0);
  const llama = machine.llama_cpp === null ? '' : `, llama.cpp ${machine.llama_cpp}`;
  return (
    `${machine.date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${gib} GiB; Node ${machine.node}, ` +
    `calm-serve ${machine.calm_serve}, ONNX Runtime ${machine.onnx_runtime}${llama}; ${machine.threads} threads, ` +
    `${machine.steps} steps a point; load average ${spreadText(load_average, 1)} in ${(machine.seconds / 60).toFixed(0)} minutes.`
  );
}

function speedTable(points, { calm, token }) {
  const share = model =>
    model === null
      ? '-'
      : `${spreadText(model.roofline_share, 0, 0.01)} %, ${model.roofline_bounds.join(' or ')}`;
  const rate = model => (model === null ? '-' : spreadText(model.tokens_per_second, 0));
  return table(
    ['context', 'batch', calm, 'share', token, 'share', 'llama.cpp'],
    points.map(point => [
      point.context,
      point.batch,
      rate(point.calm),
      share(point.calm),
      rate(point.token),
      share(point.token),
      rate(point.llama),
    ]),
  );
}

function ratioTable(points, { calm, token }) {
  const cell = spread => (spread === null ? '-' : spreadText(spread));
  const titles = [`${calm} over ${token}`, 'of their rooflines', `${token} over llama.cpp`];
  return table(
    ['context', 'batch', ...titles, `${calm} over llama.cpp`],
    points.map(({ context, batch, ratios }) => [
      context,
      batch,
      cell(ratios.calm_over_token),
      cell(ratios.rooflines_calm_over_token),
      cell(ratios.token_over_llama),
      cell(ratios.calm_over_llama),
    ]),
  );
}

function probeText(
  { probe_bytes_per_second, c_reader_bytes_per_second, ratio, ratio_of_fastest },
  { threads },
) {
  const rates = spread => spreadText(spread, 1, 1e9);
  return (
    `Read probe of \`calm bench\` over the C reader, ${threads} threads each: ${spreadText(ratio)} sitting by ` +
    `sitting, ${ratio_of_fastest.toFixed(2)} the fastest over the fastest (GB/s: ${rates(probe_bytes_per_second)} and ` +
    `${rates(c_reader_bytes_per_second)}).`
  );
}

function commandLines(sittings) {
  return [...new Set(sittings.flatMap(({ commands }) => commands))];
}

function table(titles, rows) {
  const lines = [titles, titles.map(() => '---'), ...rows];
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n');
}
