/** The leaves of a candidate tree, grouped by how often each was drawn: many chunks, few different counts. */
export class LeavesByCount {
  /** Leaves drawn c times, at index c. */
  readonly #groups: number[][] = [[]];
  /** Where a leaf is within its group. */
  readonly #places = new Map<number, number>();

  /** The largest count of any leaf; 0 where there is none. */
  get largest(): number {
    return this.#groups.length - 1;
  }

  /** Leaves drawn `count` times, in no order that means anything, but always in the same. */
  group(count: number): readonly number[] {
    return this.#groups[count] ?? [];
  }

  /** Notes that a leaf was drawn once more and now has this count. */
  raise(leaf: number, count: number): void {
    if (count > 1) this.#remove(leaf, this.#groups[count - 1]!);
    this.#groups[count] ??= [];
    const group = this.#groups[count];
    this.#places.set(leaf, group.length);
    group.push(leaf);
  }

  #remove(leaf: number, group: number[]): void {
    const last = group.pop()!;
    if (last === leaf) return;
    const place = this.#places.get(leaf)!;
    group[place] = last;
    this.#places.set(last, place);
  }
}
