/** How far an evaluation has come. */
import { Presets, SingleBar } from 'cli-progress';

/** A bar on a terminal; elsewhere a line for every tenth. All on standard error. */
export class EvalProgress {
  readonly #total: number;
  readonly #unit: string;
  readonly #bar: SingleBar | null;
  readonly #startMs = performance.now();
  #tenths = 0;

  constructor(total: number, unit: string) {
    this.#total = total;
    this.#unit = unit;
    if (!process.stderr.isTTY) {
      this.#bar = null;
      return;
    }
    const format = `eval [{bar}] {percentage}% | {value} of {total} ${unit} | {eta_formatted} left`;
    this.#bar = new SingleBar(
      { format, stream: process.stderr, hideCursor: true, clearOnComplete: true },
      Presets.legacy,
    );
    this.#bar.start(total, 0);
  }

  update(done: number): void {
    this.#bar?.update(done);
    const tenths = Math.floor((10 * done) / this.#total);
    if (this.#bar !== null || tenths === this.#tenths) return;
    this.#tenths = tenths;
    const seconds = (performance.now() - this.#startMs) / 1000;
    process.stderr.write(`${done} of ${this.#total} ${this.#unit} after ${seconds.toFixed(1)} s\n`);
  }

  stop(): void {
    this.#bar?.stop();
  }
}
