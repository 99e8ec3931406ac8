/** A model's parameters as the graphs use them: what is packed into one matrix, and under which name it is stored. */
import type { Matrix } from './matrix.js';

/** Part of the model, for the report of quantization errors. */
export type LayerKind =
  | 'embedding'
  | 'attention'
  | 'mlp'
  | 'chunk input'
  | 'head'
  | 'autoencoder'
  | 'vocabulary';

/** y = x W^T + b. */
export interface Linear {
  /** Name in the data file. */
  readonly name: string;
  readonly kind: LayerKind;
  /** [outputs, inputs], as PyTorch stores it. */
  readonly weight: Matrix;
  readonly bias: Float32Array | null;
  /** Narrow layers between the model and its noise or latent: few bytes, and every error passes through them. */
  readonly sensitive?: boolean;
  /** Inside a loop of the graph. */
  readonly repeated?: boolean;
}

/** Scale, and shift where the norm has one. */
export interface Norm {
  readonly name: string;
  readonly weight: Float32Array;
  readonly bias: Float32Array | null;
  readonly epsilon: number;
}

/** What graphs do with a table. One that is only looked up costs no speed, and stays wider. */
export type TableUse = 'lookup' | 'projection' | 'both';

/** A matrix [vocabulary, size]: rows looked up by token id, or logits = x W^T, or both over one copy. */
export interface Table {
  readonly name: string;
  readonly kind: LayerKind;
  readonly weight: Matrix;
  /**
   * Rows in the data file, where they are more than the vocabulary's: copies of row 0, whose logits tie with token
   * 0's, so that a search for the largest logit may work in whole blocks.
   */
  readonly storedRows?: number;
  readonly use: TableUse;
}

/** Rotary tables, [positions, head size / 2] each. */
export interface RotaryTables {
  readonly positions: number;
  readonly columns: number;
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** A matrix that a graph uses as it is, in the activation type: no parameter, but computed from some. */
export interface Constant {
  readonly name: string;
  readonly weight: Matrix;
}
