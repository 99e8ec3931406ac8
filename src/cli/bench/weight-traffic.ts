/** How many bytes of weights one decode step must read: the floor of its time at small batches. */
import type { Manifest } from '../../runtime/manifest.js';

/**
 * Bytes of the matrices and vectors that the fused step streams, one candidate a row included. The embedding table is
 * left out unless it is also the output matrix: a step reads a few of its rows only. Rotary tables likewise.
 */
export function stepWeightBytes(manifest: Manifest): number {
  const { graphs, weights } = manifest;
  const isStreamed = new Set(graphs.lm_head?.initializers ?? []);
  return (graphs.step?.initializers ?? [])
    .filter(name => isStreamed.has(name) || !/(^|\.)embedding(\.|$)|\.rotary\./.test(name))
    .reduce((sum, name) => sum + (weights.tensors[name]?.bytes ?? 0), 0);
}
