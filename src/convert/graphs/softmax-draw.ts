/**
 * One draw from softmax(logits * inverse temperature) inside the graph, so that no logits leave it. The cumulative
 * sum has two levels, blocks and the values of one block: over a vocabulary of 128257, CumSum alone takes seven
 * times as long as everything here.
 */
import type { GraphBuilder } from '../onnx/graph-builder.js';

const BLOCK = 512;
/** 1 - 2^-23: a float32 times this is less than it was. */
const JUST_BELOW_ONE = 1 - 2 ** -23;

export interface SoftmaxDrawInputs {
  /** float32 [B, V]. */
  readonly logits: string;
  /** float32 [B, 1]. */
  readonly inverseTemperature: string;
  /** float32 [B, 1], in [0, 1). */
  readonly uniform: string;
  readonly vocabSize: number;
}

/** The token where the cumulative probability first exceeds `uniform`: int64 [B, 1]. */
export function addSoftmaxDraw(graph: GraphBuilder, inputs: SoftmaxDrawInputs): string {
  const { logits, inverseTemperature, uniform, vocabSize } = inputs;
  const blockCount = Math.ceil(vocabSize / BLOCK);
  const scaled = graph.node('Mul', [logits, inverseTemperature]);
  const probabilities = graph.node('Softmax', [scaled], { attributes: { axis: -1 } });
  const padding = blockCount * BLOCK - vocabSize;
  const padded =
    padding === 0 ? probabilities : graph.node('Pad', [probabilities, graph.int64([0, 0, 0, padding])]);
  const blocks = graph.node('Reshape', [padded, graph.int64([-1, blockCount, BLOCK])]);

  const sums = graph.node('ReduceSum', [blocks, graph.int64([-1])], { attributes: { keepdims: 0 } });
  const cumulative = cumulativeSum(graph, sums);
  // Relative to the sum as it was rounded, so that no draw falls behind the last token of any mass.
  const total = graph.node('Gather', [cumulative, graph.int64([blockCount - 1])], {
    attributes: { axis: 1 },
  });
  const target = graph.node('Mul', [uniform, total]);
  const block = firstAbove(graph, cumulative, target, blockCount);

  const before = graph.node('GatherElements', [graph.node('Sub', [cumulative, sums]), block], {
    attributes: { axis: 1 },
  });
  const chosen = graph.node('GatherND', [blocks, block], { attributes: { batch_dims: 1 } });
  const cumulativeInBlock = cumulativeSum(graph, chosen);
  // The block's sum and `before` were rounded on other ways, so the rest is brought inside the block's own sum.
  const last = graph.node('Gather', [cumulativeInBlock, graph.int64([BLOCK - 1])], {
    attributes: { axis: 1 },
  });
  const below = graph.node('Mul', [last, graph.float32(JUST_BELOW_ONE)]);
  const rest = graph.node('Min', [graph.node('Sub', [target, before]), below]);
  const inBlock = firstAbove(graph, cumulativeInBlock, graph.node('Max', [rest, graph.float32(0)]), BLOCK);

  const start = graph.node('Mul', [block, graph.int64([BLOCK], [])]);
  const token = graph.node('Add', [start, inBlock]);
  return graph.node('Min', [token, graph.int64([vocabSize - 1], [])]);
}

function cumulativeSum(graph: GraphBuilder, values: string): string {
  return graph.node('CumSum', [values, graph.int64([-1], [])]);
}

/** Per row, how many of the ascending values are at most `bound`, but at most size - 1: int64 [B, 1]. */
function firstAbove(graph: GraphBuilder, ascending: string, bound: string, size: number): string {
  const passed = graph.node('Cast', [graph.node('LessOrEqual', [ascending, bound])], {
    attributes: { to: 7 },
  });
  const count = graph.node('ReduceSum', [passed, graph.int64([-1])]);
  return graph.node('Min', [count, graph.int64([size - 1], [])]);
}
