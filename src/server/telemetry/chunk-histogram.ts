/** A histogram for what happens at every chunk: a step of a full batch books hundreds of values. */
import type { Registry } from 'prom-client';

/** Values of one histogram with one set of labels. */
export class HistogramSeries {
  /** Values up to and including each bound, not cumulated, and those above all bounds. */
  readonly counts: Float64Array;
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Books `value`, `times` times. */
  observe(value: number, times = 1): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
    this.counts[bucket]! += times;
    this.sum += value * times;
  }
}

type Labels = Readonly<Record<string, string>>;

/** What a histogram is. */
export interface HistogramAbout {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, growing. */
  readonly buckets: readonly number[];
  readonly registry: Registry;
}

/**
 * A histogram for prom-client's registry, whose own looks its labels up at every value: about a microsecond, where this
 * takes a fiftieth.
 */
export class ChunkHistogram {
  readonly name: string;
  readonly help: string;
  readonly #buckets: readonly number[];
  readonly #series: { readonly labels: Labels; readonly values: HistogramSeries }[] = [];

  constructor({ name, help, buckets, registry }: HistogramAbout) {
    this.name = name;
    this.help = help;
    this.#buckets = buckets;
    // The registry asks a metric for its name and, at a scrape, for its values; its type wants prom-client's classes.
    registry.registerMetric(this as unknown as Parameters<Registry['registerMetric']>[0]);
  }

  /** A new series, which is shown from now on. */
  addSeries(labels: Labels): HistogramSeries {
    const values = new HistogramSeries(this.#buckets);
    this.#series.push({ labels, values });
    return values;
  }

  /** What the registry prints. */
  get(): Promise<object> {
    const values = this.#series.flatMap(({ labels, values }) => this.#show(labels, values));
    return Promise.resolve({
      name: this.name,
      help: this.help,
      type: 'histogram',
      aggregator: 'sum',
      values,
    });
  }

  #show(labels: Labels, { counts, sum }: HistogramSeries): object[] {
    let total = 0;
    const buckets = [...this.#buckets, '+Inf'].map((bound, index) => {
      total += counts[index]!;
      return { metricName: `${this.name}_bucket`, labels: { le: bound, ...labels }, value: total };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: total },
    ];
  }
}
