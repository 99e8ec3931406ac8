/** What storing the weights did to them, by kind of layer. */
import type { LayerKind } from './weights/parameters.js';
import type { StorageRecord } from './weights/stored-forms.js';

/** All matrices of one kind that are stored in one form. */
export interface KindSummary {
  readonly kind: LayerKind | 'total';
  /** Such as `int8, blocks of 32, asymmetric`, or `unquantized`. */
  readonly form: string;
  readonly matrices: number;
  readonly elements: number;
  /** Root mean square of (stored - original), relative to that of the original; 0 where nothing was quantized. */
  readonly relativeError: number;
}

function formOf({ format }: StorageRecord): string {
  if (format === null) return 'unquantized';
  if (format === 'channels') return 'int8, one scale an output';
  return `int${format.bits}, blocks of ${format.blockSize}, ${format.symmetric ? 'symmetric' : 'asymmetric'}`;
}

function summary(kind: KindSummary['kind'], form: string, records: readonly StorageRecord[]): KindSummary {
  const sum = (field: 'elements' | 'squaredError' | 'squaredNorm'): number =>
    records.reduce((total, record) => total + record[field], 0);
  const norm = sum('squaredNorm');
  return {
    kind,
    form,
    matrices: records.length,
    elements: sum('elements'),
    relativeError: norm === 0 ? 0 : Math.sqrt(sum('squaredError') / norm),
  };
}

/** One line for each kind and form, and a total over all quantized matrices where there are any. */
export function summarize(records: readonly StorageRecord[]): KindSummary[] {
  const groups = new Map<string, StorageRecord[]>();
  for (const record of records) {
    const key = `${record.kind}|${formOf(record)}`;
    groups.set(key, [...(groups.get(key) ?? []), record]);
  }
  const lines = [...groups.values()].map(group =>
    summary((group[0] as StorageRecord).kind, formOf(group[0] as StorageRecord), group),
  );
  const quantized = records.filter(({ format }) => format !== null);
  return quantized.length === 0 ? lines : [...lines, summary('total', 'all quantized matrices', quantized)];
}
