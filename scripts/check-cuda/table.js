/** How the results of check-cuda.js look in Markdown. */
import { execFileSync } from 'node:child_process';
import os from 'node:os';

/** What the figures belong to. */
export function describeMachine({ device }, wasRun) {
  const parts = [new Date().toISOString().slice(0, 10), `device ${device}`];
  if (wasRun && device === 'cuda') parts.push(describeGpu());
  parts.push(`${os.cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${os.availableParallelism()} cores`);
  return `\`npm run check:cuda\`: ${parts.join('; ')}; Node ${process.version}.`;
}

function describeGpu() {
  try {
    const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
    return execFileSync('nvidia-smi', query, { encoding: 'utf8' }).trim().split('\n').join(' and ');
  } catch {
    return 'a GPU that nvidia-smi does not name';
  }
}

/** One line a check. */
export function table(rows) {
  const lines = rows.map(({ check, subject, result, ok }) => {
    const verdict = ok === null ? '-' : ok ? 'ok' : '**failed**';
    return `| ${check} | ${subject} | ${result.replaceAll('|', '\\|').replaceAll('\n', ' ')} | ${verdict} |`;
  });
  return ['| check | package | result | |', '|---|---|---|---|', ...lines].join('\n');
}

const marks = ['<!-- check-cuda -->', '<!-- /check-cuda -->'];

/** The page with `text` between its marks; throws a sentence where it has none. */
export function writeBetweenMarks(page, text, file) {
  const [start, end] = marks.map(mark => page.indexOf(mark));
  if (start < 0 || end < start) throw new Error(`${file} lacks the lines ${marks.join(' and ')}.`);
  return `${page.slice(0, start + marks[0].length)}\n${text}\n${page.slice(end)}`;
}
