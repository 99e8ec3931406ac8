/** The graphs of a token package (LlamaForCausalLM); inputs and outputs as docs/model-package.md lists them. */
import type { GraphName } from '../../runtime/manifest.js';
import type { LlamaConfig } from '../config.js';
import type { GraphBuilder } from '../onnx/graph-builder.js';
import type { TokenModelParameters } from '../weights/token-model-parameters.js';
import type { WeightStore } from '../weights/weight-store.js';
import { addDecoderStack } from './backbone.js';
import { LayerGraph } from './layers.js';
import { addSoftmaxDraw } from './softmax-draw.js';

/** Builds the graphs in turn; parameters are stored when the first graph asks for them. */
export function buildTokenGraphs(
  config: LlamaConfig,
  parameters: TokenModelParameters,
  store: WeightStore,
  dataFile: string,
): Map<GraphName, GraphBuilder> {
  const { hiddenSize, vocabSize } = config;
  const addBackbone = (layers: LayerGraph, inputIds: string): string =>
    addDecoderStack(layers, layers.lookup(inputIds, parameters.embedding), parameters.backbone, config);

  const backbone = new LayerGraph('backbone', dataFile, store);
  const hidden = addBackbone(backbone, backbone.graph.input('input_ids', 'int64', ['B', 'T']));
  backbone.graph.output('hidden', hidden, backbone.float, ['B', 'T', hiddenSize]);

  const head = new LayerGraph('lm_head', dataFile, store);
  const rows = head.graph.input('hidden', head.float, ['N', hiddenSize]);
  head.float32Output('logits', head.logits(rows, parameters.projection), ['N', vocabSize]);

  const step = new LayerGraph('step', dataFile, store);
  const last = step.reshape(addBackbone(step, step.graph.input('input_ids', 'int64', ['B', 1])), [
    -1,
    hiddenSize,
  ]);
  const logits = step.toFloat32(step.logits(last, parameters.projection));
  const inverseTemperature = step.graph.input('inverse_temperature', 'float32', ['B', 1]);
  const uniform = step.graph.input('uniform', 'float32', ['B', 1]);
  const tokens = addSoftmaxDraw(step.graph, { logits, inverseTemperature, uniform, vocabSize });
  step.graph.output('tokens', tokens, 'int64', ['B', 1]);
  step.graph.output('logits', logits, 'float32', ['B', vocabSize]);

  return new Map<GraphName, GraphBuilder>([
    ['backbone', backbone.graph],
    ['lm_head', head.graph],
    ['step', step.graph],
  ]);
}
