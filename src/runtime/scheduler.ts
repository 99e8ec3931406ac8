/**
 * Which work the next step does: a pure function from the requests' counters to a plan. It touches neither the
 * queue nor the model.
 *
 * There are no phases: a request has known chunks and cached ones, and what is pending is fed. More than one pending
 * chunk is a prefill, which takes all but the last; one is a decode step, which also chooses the next.
 *
 * Rows. The decode batch must be rows 0..n-1. A prompt that this step finishes is written straight to its place in
 * the batch, so the usual prompt is never copied. At most one prompt, the oldest, is in the middle of its prefill;
 * it is parked in the top row, out of the way, and copied once when it is done. A row left empty by a finished
 * request is given to a prompt that joins, else to the batch's last row. So a step makes at most one copy for every
 * request that ended or was parked, and each goes to a row that nobody holds.
 */

/** The counters of a request that matter here. */
export interface Schedulable {
  /** Chunks in the cache. */
  readonly cachedChunks: number;
  /** Chunks known (prompt and generated) but not in the cache; at least 1. */
  readonly pendingChunks: number;
}

/** A request that holds a row of the cache. */
export interface Placed<T> {
  readonly item: T;
  readonly row: number;
}

export interface ScheduleState<T extends Schedulable> {
  /** In order of arrival. */
  readonly waiting: Iterable<T>;
  readonly running: readonly Placed<T>[];
  readonly slotCount: number;
}

export interface ScheduleLimits {
  /** Chunks of prompts that one step may prefill; at least SMALLEST_BUDGET. */
  readonly prefillChunksPerStep: number;
}

/** A prefill piece: `chunkCount` chunks of the item's prompt, from its `cachedChunks` on. */
export interface PlannedPiece<T> extends Placed<T> {
  readonly chunkCount: number;
}

/** A copy of a row's cache onto a free row. */
export interface PlannedMove<T> {
  readonly item: T;
  readonly from: number;
  readonly to: number;
}

/** One step's work, to be done in this order. */
export interface SchedulePlan<T> {
  readonly moves: readonly PlannedMove<T>[];
  /** Waiting requests that now run, with the row that each leases. */
  readonly admitted: readonly Placed<T>[];
  readonly prefill: readonly PlannedPiece<T>[];
  /** The batch; entry i is in row i. */
  readonly decode: readonly T[];
}

/** The least budget with which any prompt can be cut into pieces of two chunks or more. */
export const SMALLEST_BUDGET = 3;

/** Plans one step: first come, first served. */
export function schedule<T extends Schedulable>(
  state: ScheduleState<T>,
  limits: ScheduleLimits,
): SchedulePlan<T> {
  const intake = takeIn(state, limits);
  const { moves, decode } = placeBatch(state, intake.joining);
  const rowOf = new Map(decode.map((item, row) => [item, row]));
  const topRow = state.slotCount - 1;
  return {
    moves,
    admitted: intake.admitted.map(item => ({ item, row: rowOf.get(item) ?? topRow })),
    prefill: intake.pieces.map(({ item, chunkCount }) => ({
      item,
      chunkCount,
      row: rowOf.get(item) ?? topRow,
    })),
    decode,
  };
}

interface Intake<T> {
  /** Prefill work, in order. */
  readonly pieces: readonly { readonly item: T; readonly chunkCount: number }[];
  readonly admitted: readonly T[];
  /** Requests whose prompt is done with this step's pieces, so that they decode in the same step. */
  readonly joining: readonly T[];
}

/** Spends the prefill budget on the parked prompt, then on waiting ones, until budget or rows run out. */
function takeIn<T extends Schedulable>(state: ScheduleState<T>, limits: ScheduleLimits): Intake<T> {
  const parked = state.running.find(({ item }) => item.pendingChunks > 1)?.item;
  const pieces: { item: T; chunkCount: number }[] = [];
  const admitted: T[] = [];
  const joining: T[] = [];
  let budget = limits.prefillChunksPerStep;
  let freeRows = state.slotCount - state.running.length;

  /** Returns false where the line stops at this item. */
  const take = (item: T): boolean => {
    const wanted = item.pendingChunks - 1;
    const chunkCount = pieceLength(wanted, budget);
    if (chunkCount === 0 && wanted > 0) return false;
    if (item !== parked) admitted.push(item);
    if (chunkCount > 0) pieces.push({ item, chunkCount });
    budget -= chunkCount;
    if (chunkCount === wanted) joining.push(item);
    return chunkCount === wanted;
  };

  if (parked && !take(parked)) return { pieces, admitted, joining };
  for (const item of state.waiting) {
    if (freeRows === 0 || !take(item)) break;
    freeRows -= 1;
  }
  return { pieces, admitted, joining };
}

/**
 * Chunks of `wanted` that fit into `budget`. A piece of one chunk takes another kernel than longer ones and differs
 * in bits, so none is made where a prompt can be cut otherwise: the same prompt gives the same text however it is cut.
 */
function pieceLength(wanted: number, budget: number): number {
  if (wanted <= budget) return wanted;
  const length = wanted - budget === 1 ? budget - 1 : budget;
  return length >= 2 ? length : 0;
}

/** Gives the decoding and the joining requests the rows 0..n-1, moving as few caches as possible. */
function placeBatch<T extends Schedulable>(
  state: ScheduleState<T>,
  joining: readonly T[],
): { moves: PlannedMove<T>[]; decode: T[] } {
  const joins = new Set(joining);
  const cached = state.running.filter(({ item }) => item.pendingChunks === 1 || joins.has(item));
  for (const { item } of cached) joins.delete(item);
  const batchSize = cached.length + joins.size;

  const batch = new Array<T | undefined>(batchSize).fill(undefined);
  const beyond: Placed<T>[] = [];
  for (const placed of cached) {
    if (placed.row < batchSize) batch[placed.row] = placed.item;
    else beyond.push(placed);
  }
  const moves: PlannedMove<T>[] = [];
  const fresh = joins.values();
  const decode = batch.map((item, row) => {
    if (item !== undefined) return item;
    const moved = beyond.pop();
    if (moved === undefined) return fresh.next().value!;
    moves.push({ item: moved.item, from: moved.row, to: row });
    return moved.item;
  });
  return { moves, decode };
}
