/** The token of the largest logit, the lowest id on ties. */
import type { GraphBuilder } from '../onnx/graph-builder.js';

/**
 * Logits [N, width] -> token ids int64 [N], all below `vocabSize`. Columns beyond the vocabulary repeat token 0's.
 * Where the width is a multiple of `block`, the search has two levels: the largest value of each block, then the
 * index in the best block. ONNX Runtime's ArgMax looks at one value at a time, its ReduceMax at a vector of them;
 * over 128257 tokens that makes four times.
 */
export function addArgMax(
  graph: GraphBuilder,
  logits: string,
  { width, vocabSize, block }: { readonly width: number; readonly vocabSize: number; readonly block: number },
): string {
  if (width % block !== 0 || width === block) return argMax(graph, logits);
  const blocks = graph.node('Reshape', [logits, graph.int64([-1, width / block, block])]);
  const largest = graph.node('ReduceMax', [blocks, graph.int64([-1])], { attributes: { keepdims: 0 } });
  const best = argMax(graph, largest);
  const bestColumn = graph.node('Unsqueeze', [best, graph.int64([1])]);
  const values = graph.node('GatherND', [blocks, bestColumn], { attributes: { batch_dims: 1 } });
  const start = graph.node('Mul', [best, graph.int64([block], [])]);
  const index = graph.node('Add', [start, argMax(graph, values)]);
  if (width === vocabSize) return index;
  const inside = graph.node('Less', [index, graph.int64([vocabSize], [])]);
  return graph.node('Where', [inside, index, graph.int64([0], [])]);
}

function argMax(graph: GraphBuilder, values: string): string {
  return graph.node('ArgMax', [values], { attributes: { axis: -1, keepdims: 0, select_last_index: 0 } });
}
