/** The progress bar and the report that `calm convert` and `calm synth` share. */
import { Presets, SingleBar } from 'cli-progress';
import type { KindSummary } from '../convert/quantization-summary.js';
import type { ProgressListener, WriteReport } from '../convert/write-model.js';

/** Runs `work` under a progress bar on stderr, without one where stderr is no terminal. */
export function withProgress<T>(label: string, work: (listener: ProgressListener) => T): T {
  if (!process.stderr.isTTY) return work(() => {});
  const bar = new SingleBar(
    {
      format: `${label} [{bar}] {percentage}% | {done} of {all} million values | {tensor}`,
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      // Conversion blocks the event loop, so the bar is drawn by the updates themselves.
      forceRedraw: true,
    },
    Presets.legacy,
  );
  const millions = (elements: number): string => (elements / 1e6).toFixed(0);
  let started = false;
  let lastDrawnMs = 0;
  try {
    return work(({ tensor, doneElements, totalElements }) => {
      if (!started) {
        started = true;
        bar.start(totalElements, 0, { tensor, done: '0', all: millions(totalElements) });
      }
      const now = Date.now();
      if (now - lastDrawnMs < 100 && doneElements < totalElements) return;
      lastDrawnMs = now;
      bar.update(doneElements, { tensor, done: millions(doneElements) });
      bar.render();
    });
  } finally {
    if (started) bar.stop();
  }
}

/** The report as one JSON object. */
export function reportJson(out: string, { manifest, weightBytes, storage }: WriteReport): string {
  return JSON.stringify({
    out,
    name: manifest.name,
    kind: manifest.kind,
    source: manifest.source,
    weight_type: manifest.weight_type,
    activation_type: manifest.activation_type,
    weight_bytes: weightBytes,
    tokenizer: manifest.tokenizer !== null,
    storage: storage.map(({ relativeError, elements, ...rest }) => ({
      ...rest,
      values: elements,
      relative_error: relativeError,
    })),
  });
}

/** The report as lines for people. */
export function reportText(out: string, { manifest, weightBytes, storage }: WriteReport): string {
  const size = `${(weightBytes / 1e6).toFixed(1)} MB of weights`;
  const lines = [
    `${out}: ${manifest.source}, ${manifest.weight_type} weights, ${manifest.activation_type} activations, ${size}`,
    ...storage.map(storageLine),
  ];
  if (manifest.tokenizer === null) {
    lines.push('No tokenizer: the package takes prompts of token ids and answers with token_ids.');
  }
  return lines.join('\n');
}

function storageLine({ kind, form, matrices, elements, relativeError }: KindSummary): string {
  const error = relativeError === 0 ? '' : `, relative error ${(relativeError * 100).toFixed(2)} %`;
  const values = `${(elements / 1e6).toFixed(2)} M values in ${matrices}`;
  return `  ${kind.padEnd(12)} ${values.padEnd(24)} ${form}${error}`;
}
