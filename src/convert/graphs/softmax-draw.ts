/** One draw from softmax(logits * inverse temperature) inside the graph, so that no logits leave it. */
import type { GraphBuilder } from '../onnx/graph-builder.js';

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
  const axis = graph.int64([-1]);
  const best = graph.node('ReduceMax', [inputs.logits, axis]);
  const centred = graph.node('Mul', [graph.node('Sub', [inputs.logits, best]), inputs.inverseTemperature]);
  const cumulative = graph.node('CumSum', [
    graph.node('Softmax', [centred], { attributes: { axis: -1 } }),
    graph.int64([-1], []),
  ]);
  const below = graph.node('Cast', [graph.node('LessOrEqual', [cumulative, inputs.uniform])], {
    attributes: { to: 7 },
  });
  const index = graph.node('ReduceSum', [below, axis]);
  return graph.node('Min', [index, graph.int64([inputs.vocabSize - 1], [])]);
}
