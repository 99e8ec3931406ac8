/** A whole matrix to levels with one scale a row, piece by piece. */
import { type Matrix, rowBlocks } from './matrix.js';
import { quantizeChannels } from './quantize-channels.js';

/** Sums over all values. */
export interface ChannelErrors {
  readonly squaredError: number;
  readonly squaredNorm: number;
}

export interface ChannelListener {
  /** Called with the number of values of every piece. */
  onPiece(count: number): void;
  /** Called after the last piece. */
  onDone(errors: ChannelErrors): void;
}

/** Reads the matrix once, by `pieces` or by `transposed`; `scales` is whole after that. */
export class ChannelQuantizer {
  /** One a row. */
  readonly scales: Float32Array;
  readonly #weight: Matrix;
  readonly #listener: ChannelListener;

  constructor(weight: Matrix, listener: ChannelListener) {
    this.#weight = weight;
    this.#listener = listener;
    this.scales = new Float32Array(weight.rows);
  }

  /** The levels row by row. */
  *pieces(): Generator<Int8Array> {
    const { columns } = this.#weight;
    let squaredError = 0;
    let squaredNorm = 0;
    for (const { from, to } of rowBlocks(this.#weight)) {
      const part = quantizeChannels(this.#weight.read(from, to), columns);
      this.scales.set(part.scales, from);
      squaredError += part.squaredError;
      squaredNorm += part.squaredNorm;
      yield part.data;
      this.#listener.onPiece(part.data.length);
    }
    this.#listener.onDone({ squaredError, squaredNorm });
  }

  /** The levels column by column, all in memory. */
  transposed(): Int8Array {
    const { rows, columns } = this.#weight;
    const levels = new Int8Array(rows * columns);
    let first = 0;
    for (const piece of this.pieces()) {
      const count = piece.length / columns;
      for (let column = 0; column < columns; column++) {
        for (let row = 0; row < count; row++) {
          levels[column * rows + first + row] = piece[row * columns + column] as number;
        }
      }
      first += count;
    }
    return levels;
  }
}
