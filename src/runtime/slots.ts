/**
 * Who owns which row of the model's cache. A row has at most one lease; a lease knows its row, may be moved to a
 * free one, and gives it back when it is disposed of.
 */

/** Ownership of one cache row. */
export interface SlotLease extends Disposable {
  /** The row owned now. */
  readonly row: number;
}

export class SlotTable {
  readonly #owners: (Lease | undefined)[];
  #leasedCount = 0;

  constructor(slotCount: number) {
    this.#owners = new Array<Lease | undefined>(slotCount).fill(undefined);
  }

  /** Rows, leased or not. */
  get slotCount(): number {
    return this.#owners.length;
  }

  get leasedCount(): number {
    return this.#leasedCount;
  }

  /** Leases a row; throws where it is taken or does not exist. */
  lease(row: number): SlotLease {
    this.#assertFree(row);
    const lease = new Lease(row, () => this.#release(lease));
    this.#owners[row] = lease;
    this.#leasedCount += 1;
    return lease;
  }

  /** Gives a lease another row, which must be free; the old one becomes free. Copies nothing. */
  move(lease: SlotLease, row: number): void {
    const owner = this.#owners[lease.row];
    if (owner === undefined || owner !== lease)
      throw new Error(`slot ${lease.row} is not held by this lease`);
    this.#assertFree(row);
    this.#owners[owner.row] = undefined;
    this.#owners[row] = owner;
    owner.row = row;
  }

  /** Throws where a row is still leased; to be called when nothing runs. */
  assertNoLeaks(): void {
    if (this.#leasedCount === 0) return;
    const rows = this.#owners.flatMap((owner, row) => (owner ? [row] : []));
    throw new Error(`slots still leased while nothing runs: ${rows.join(', ')}`);
  }

  #assertFree(row: number): void {
    if (!(row in this.#owners)) throw new Error(`slot ${row} does not exist; there are ${this.slotCount}`);
    if (this.#owners[row] !== undefined) throw new Error(`slot ${row} is taken`);
  }

  #release(lease: Lease): void {
    if (this.#owners[lease.row] !== lease) throw new Error(`slot ${lease.row} was released twice`);
    this.#owners[lease.row] = undefined;
    this.#leasedCount -= 1;
  }
}

class Lease implements SlotLease {
  row: number;
  readonly #release: () => void;

  constructor(row: number, release: () => void) {
    this.row = row;
    this.#release = release;
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}
