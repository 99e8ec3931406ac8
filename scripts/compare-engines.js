/**
 * The comparison of docs/performance.md in one run: a CALM and a token model in this engine, and the token model in
 * llama.cpp. Prints Markdown; --json names a file for everything, written after every round.
 *
 *   npm run build && node scripts/compare-engines.js --model ./calm-m --baseline ./transformer-s \
 *     --llama-batched-bench llama.cpp/build/bin/llama-batched-bench --gguf transformer-s.gguf --json comparison.json
 *
 * A sitting is one point, a context and a batch: a C reader of memory, `calm bench` with both models in turns, and
 * llama-batched-bench, one after the other. A round has a sitting for each point of --context and --batch, and one of the
 * baseline alone for each of --baseline-only (context:batch); every other round runs backwards, points and engines. Figures are
 * medians with their range over --rounds; ratios are made in each sitting, for whoever shares the machine makes rates of
 * different minutes incomparable.
 *
 * Every engine starts from prompts of --context tokens and times --steps steps of all rows. Each `calm bench` reads its
 * own machine's rates before and after, and shares of the roofline are by those. Without --llama-batched-bench and --gguf
 * llama.cpp is left out; --llama-arguments are passed on to it; --llama-version names a build that cannot name itself.
 * Without --c-reader, a program that prints "threads 2 read 41.3 GB/s", the one of compare-engines/ is compiled with cc.
 */
import { writeFileSync } from 'node:fs';
import { compileReader } from './compare-engines/engines.js';
import { describeMachine } from './compare-engines/machine.js';
import { reportMarkdown } from './compare-engines/markdown.js';
import { readOptions } from './compare-engines/options.js';
import { pointsOf, sit } from './compare-engines/sittings.js';
import { summarize } from './compare-engines/summary.js';

async function compare(settings) {
  const machine = await describeMachine(settings);
  const startMs = performance.now();
  const rounds = [];
  let report = null;
  for (let round = 1; round <= settings.rounds; round += 1) {
    rounds.push(await runRound(round, settings));
    const seconds = (performance.now() - startMs) / 1000;
    const { threads, steps } = settings;
    report = { machine: { ...machine, threads, steps, seconds }, summary: summarize(rounds), rounds };
    if (settings.json) writeFileSync(settings.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return report;
}

async function runRound(round, settings) {
  const isReversed = round % 2 === 0;
  const points = pointsOf(settings);
  const sittings = [];
  for (const point of isReversed ? points.toReversed() : points) {
    const where = `round ${round} of ${settings.rounds}, context ${point.context}, batch ${point.batch}`;
    const onProgress = engine => process.stderr.write(`${where}: ${engine} ...\n`);
    sittings.push(await sit(point, settings, isReversed, onProgress));
  }
  return sittings;
}

function read() {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`compare-engines: ${error.message}\n`);
    process.exit(2);
  }
}

const settings = read();
let reader = null;
try {
  if (settings.cReader === undefined) reader = await compileReader();
  const report = await compare({ ...settings, cReader: settings.cReader ?? reader.file });
  console.log(reportMarkdown(report));
} catch (error) {
  process.stderr.write(`compare-engines: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  reader?.remove();
}
