/** What a session is made from. */
import type { Weights } from './weights.js';

/** A graph as its package stores it. */
export interface GraphSource {
  /** For messages: the file's path. */
  readonly file: string;
  /** The ONNX model, without its weights. */
  readonly model: Uint8Array;
  /** Names of the tensors in `weights` that the graph uses. */
  readonly initializers: readonly string[];
  /** Null for a graph that has none. */
  readonly weights: Weights | null;
  /** Start of a path: every run is recorded for `Session.endProfiling`, which slows it down. */
  readonly profilePrefix?: string | undefined;
}
