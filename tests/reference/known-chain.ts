/**
 * A toy language whose law is known. As a BlockModel it keeps its cache cell by cell, so that a context is what the
 * cells hold, right or wrong.
 */
import type { BlockModel, ChunkFeed, NodeQuery } from '../../src/evaluate/block-model.js';
import type { Block } from '../../src/evaluate/blocks.js';
import { type NodeScore, scoreNode } from '../../src/evaluate/brier.js';
import { SoftmaxReader, softmaxNode } from '../../src/evaluate/softmax-statistics.js';
import { RandomStream } from '../../src/sampler/uniform.js';

/** Rows of probabilities of the next token; the whole context decides which row counts. */
export type ChainLaw = readonly (readonly number[])[];

/** Probability of `next` behind a context. Every token of the context matters, so that a wrong one shows. */
function probability(law: ChainLaw, context: readonly number[], next: number): number {
  const row = context.reduce((state, token) => (2 * state + token + 1) % law.length, 0);
  return law[row]![next]!;
}

/** The token behind a context that a number in [0, 1) picks. */
export function nextToken(law: ChainLaw, context: readonly number[], uniform: number): number {
  let left = uniform;
  const found = law.findIndex((_, token) => {
    left -= probability(law, context, token);
    return left < 0;
  });
  return found < 0 ? law.length - 1 : found;
}

/** Brier-1 to Brier-4 of the law at one position, by enumeration. */
export function exactBrier(law: ChainLaw, context: readonly number[], target: readonly number[]): number[] {
  let paths: { tokens: number[]; mass: number }[] = [{ tokens: [], mass: 1 }];
  let hit = 1;
  return target.map((token, index) => {
    hit *= probability(law, [...context, ...target.slice(0, index)], token);
    paths = paths.flatMap(({ tokens, mass }) =>
      law.map((_, next) => ({
        tokens: [...tokens, next],
        mass: mass * probability(law, [...context, ...tokens], next),
      })),
    );
    return 2 * hit - paths.reduce((sum, { mass }) => sum + mass * mass, 0);
  });
}

export class ChainModel implements BlockModel {
  readonly chunkSize: number;
  readonly rowCount: number;
  /** Contexts behind the chunks that were fed, as the cells of their rows held them. */
  readonly fedContexts: (readonly number[])[] = [];
  readonly #law: ChainLaw;
  readonly #seed: number;
  readonly #softmax: SoftmaxReader | null;
  /** Tokens of each row's cells, and of each row's context behind the last feed. */
  readonly #cells: number[][];
  #contexts: number[][] = [];
  #text: readonly number[] = [];

  /** `exact` gives probabilities instead of draws; K = 1 only. */
  constructor(
    law: ChainLaw,
    options: { chunkSize: number; rowCount: number; seed: number; exact?: boolean },
  ) {
    this.#law = law;
    this.chunkSize = options.chunkSize;
    this.rowCount = options.rowCount;
    this.#seed = options.seed;
    this.#softmax = options.exact ? new SoftmaxReader(law.length) : null;
    this.#cells = Array.from({ length: options.rowCount }, () => []);
  }

  async prefill(row: number, block: Block, chunks: number): Promise<void> {
    this.#text = block.tokens.slice(0, chunks * this.chunkSize);
    this.#cells[row] = [...this.#text];
  }

  async scoreText(queries: readonly NodeQuery[]): Promise<NodeScore[]> {
    return queries.map(query => this.#score(query, this.#text.slice(0, (query.state + 1) * this.chunkSize)));
  }

  async feed(feeds: readonly (ChunkFeed | null)[]): Promise<void> {
    this.#contexts = feeds.map((feed, row) => {
      const cells = this.#cells[row]!;
      if (feed === null) return [];
      for (const [i, token] of feed.chunk.entries()) cells[feed.position * this.chunkSize + i] = token;
      const context = cells.slice(0, (feed.position + 1) * this.chunkSize);
      this.fedContexts.push(context);
      return context;
    });
  }

  async scoreFed(queries: readonly NodeQuery[]): Promise<NodeScore[]> {
    return queries.map(query => this.#score(query, this.#contexts[query.state]!));
  }

  close(): void {}

  #score(query: NodeQuery, context: readonly number[]): NodeScore {
    const random = new RandomStream({ seed: this.#seed, choice: query.node, step: query.block });
    if (this.#softmax !== null) {
      // Any constant may be added to logits.
      const logits = Float32Array.from(
        this.#law,
        (_, token) => 3 + Math.log(probability(this.#law, context, token)),
      );
      const uniforms = Array.from({ length: query.samples }, () => random.next());
      const truth = query.truth?.[0] ?? null;
      return softmaxNode(this.#softmax.read(logits, 0, truth, uniforms), truth);
    }
    const draws = Array.from({ length: query.samples }, () => {
      const drawn: number[] = [];
      for (let i = 0; i < this.chunkSize; i += 1) {
        drawn.push(nextToken(this.#law, [...context, ...drawn], random.next()));
      }
      return drawn;
    });
    return scoreNode(draws, query.length, query.truth);
  }
}
