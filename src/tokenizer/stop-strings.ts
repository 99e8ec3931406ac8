/**
 * Finds the first of several stop strings in a text that arrives in pieces, and lets out only what no stop string
 * can claim any more. Aho and Corasick's automaton (CACM 18(6), 1975) over UTF-16 units: time linear in the text,
 * however many stop strings there are.
 */

/** Text that may be shown, and the stop string that ended it, if one did. */
export interface StopStep {
  readonly text: string;
  readonly stop: string | null;
}

/** Stop strings made ready for searching; may be shared by several searches. */
export interface StopAutomaton {
  /** Target of an edge by `node * 65536 + unit`. */
  readonly edges: ReadonlyMap<number, number>;
  /** The longest proper suffix of a node's string that is a node too. */
  readonly fallback: Uint32Array;
  /** Length of a node's string: what must be held back there. */
  readonly depth: Uint32Array;
  /** Length of the longest stop string that ends at a node; 0 where none does. */
  readonly matchLength: Uint32Array;
}

const UNITS = 0x10000;
/** Decoded text holds no lone surrogates, so a stop string with one can match only half of a character. */
const loneSurrogate = /\p{Surrogate}/u;

/** Builds the automaton, in time linear in the stop strings. Empty ones, and ones with lone surrogates, never match. */
export function compileStopStrings(stops: readonly string[]): StopAutomaton {
  const edges = new Map<number, number>();
  // Of each node: its parent, the unit that leads to it, its depth, and whether a stop string ends there.
  const parent = [0];
  const unit = [0];
  const depth = [0];
  const isEnd = [false];
  for (const stop of stops) {
    if (stop === '' || loneSurrogate.test(stop)) continue;
    let node = 0;
    for (let index = 0; index < stop.length; index++) {
      const key = node * UNITS + stop.charCodeAt(index);
      let next = edges.get(key);
      if (next === undefined) {
        next = parent.push(node) - 1;
        unit.push(stop.charCodeAt(index));
        depth.push(index + 1);
        isEnd.push(false);
        edges.set(key, next);
      }
      node = next;
    }
    isEnd[node] = true;
  }
  const fallback = new Uint32Array(parent.length);
  const matchLength = new Uint32Array(parent.length);
  for (const node of byDepth(depth)) {
    if (depth[node]! > 1) {
      let suffix = fallback[parent[node]!]!;
      while (suffix !== 0 && !edges.has(suffix * UNITS + unit[node]!)) suffix = fallback[suffix]!;
      fallback[node] = edges.get(suffix * UNITS + unit[node]!) ?? 0;
    }
    matchLength[node] = isEnd[node] ? depth[node]! : matchLength[fallback[node]!]!;
  }
  return { edges, fallback, depth: Uint32Array.from(depth), matchLength };
}

/** Node numbers, shallow ones first. */
function byDepth(depth: readonly number[]): Uint32Array {
  return Uint32Array.from(depth.keys()).sort((a, b) => depth[a]! - depth[b]!);
}

/**
 * One search. The match that ends first wins, and of several that end together the longest; so the result does not
 * depend on how the text is cut into pieces.
 */
export class StopStrings {
  readonly #automaton: StopAutomaton;
  #node = 0;
  /** The end of the text so far that a stop string may still claim. */
  #held = '';

  constructor(stops: readonly string[] | StopAutomaton) {
    this.#automaton = 'edges' in stops ? stops : compileStopStrings(stops);
  }

  /**
   * Takes more text, of whole characters. After a step with a stop string, whose text ends just before that
   * string, the search is over.
   */
  push(text: string): StopStep {
    const { depth, matchLength } = this.#automaton;
    const known = this.#held + text;
    for (let index = 0; index < text.length; index++) {
      this.#node = this.#follow(text.charCodeAt(index));
      const length = matchLength[this.#node]!;
      if (length > 0) {
        const end = this.#held.length + index + 1;
        this.#held = '';
        this.#node = 0;
        return { text: known.slice(0, end - length), stop: known.slice(end - length, end) };
      }
    }
    const safe = known.length - depth[this.#node]!;
    this.#held = known.slice(safe);
    return { text: known.slice(0, safe), stop: null };
  }

  /** The text ends here without a stop string: gives what was held back. */
  flush(): string {
    const text = this.#held;
    this.#held = '';
    this.#node = 0;
    return text;
  }

  #follow(unit: number): number {
    const { edges, fallback } = this.#automaton;
    let node = this.#node;
    for (;;) {
      const next = edges.get(node * UNITS + unit);
      if (next !== undefined) return next;
      if (node === 0) return 0;
      node = fallback[node]!;
    }
  }
}
