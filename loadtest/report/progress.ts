/** Tells on stderr how far a run is: a bar on a terminal, lines elsewhere. */
import { Presets, SingleBar } from 'cli-progress';
import type { ProgressListener } from '../load/run-plan.js';

/** Must be stopped when the run is over. */
export interface Progress extends ProgressListener {
  stop(): void;
}

export function createProgress(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? createBar(stream) : createLines(stream);
}

function createBar(stream: NodeJS.WriteStream): Progress {
  const bar = new SingleBar(
    {
      format: '[{bar}] {percentage}% | {value}/{total} requests | {eta_formatted} left | {label}',
      stream,
      hideCursor: true,
      clearOnComplete: true,
      // Drawing is the client's CPU time, which may be the server's too.
      fps: 4,
      etaBuffer: 200,
    },
    Presets.legacy,
  );
  let isStarted = false;
  return {
    start(total) {
      isStarted = true;
      bar.start(total, 0, { label: '' });
    },
    point(label) {
      if (isStarted) bar.update({ label });
      else stream.write(`${label} ...\n`);
    },
    advance: count => bar.increment(count),
    note(sentence) {
      if (isStarted) stream.clearLine(0);
      stream.write(`\r${sentence}\n`);
    },
    stop() {
      if (isStarted) bar.stop();
    },
  };
}

function createLines(stream: NodeJS.WriteStream): Progress {
  let total = 0;
  let done = 0;
  return {
    start(count) {
      total = count;
    },
    point(label) {
      const share = total === 0 ? '' : `${Math.floor((100 * done) / total)} % `;
      stream.write(`${share}${label} ...\n`);
    },
    advance(count) {
      done += count;
    },
    note: sentence => void stream.write(`${sentence}\n`),
    stop() {},
  };
}
