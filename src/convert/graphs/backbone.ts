/** The Llama decoder stack with its cache in place: the part that a CALM and a token model have in common. */
import type { BackboneConfig } from '../config.js';
import { MICROSOFT } from '../onnx/graph-builder.js';
import { paddedHeadSize } from '../weights/head-padding.js';
import type { LlamaParameters } from '../weights/llama-parameters.js';
import type { LayerGraph, ResidualStream } from './layers.js';

/**
 * Adds the decoder stack: embedded inputs [B, T, h] -> final hidden states [B, T, h]. Declares the cache inputs and
 * outputs of docs/model-package.md.
 */
export function addDecoderStack(
  layers: LayerGraph,
  embedded: string,
  parameters: LlamaParameters,
  config: BackboneConfig,
): string {
  const { graph, store } = layers;
  const lengths = graph.input('seqlens_k', 'int32', ['B']);
  const total = graph.input('total_sequence_length', 'int32', []);
  const rotary = store.rotary('backbone.rotary', parameters.rotary);
  const cacheShape = ['B', config.kvHeads, 'S', paddedHeadSize(config.headSize)];
  let stream: ResidualStream = { residual: embedded, update: null };
  parameters.layers.forEach((layer, index) => {
    const attention = layers.rmsNorm(stream, layer.attentionNorm);
    const [attended, key, value] = graph.nodes(
      'GroupQueryAttention',
      [
        layers.linear(attention.normed, layer.qkv),
        '',
        '',
        graph.input(`past.${index}.key`, layers.float, cacheShape),
        graph.input(`past.${index}.value`, layers.float, cacheShape),
        lengths,
        total,
        graph.external(rotary.cos),
        graph.external(rotary.sin),
      ],
      {
        domain: MICROSOFT,
        outputs: 3,
        attributes: {
          num_heads: config.heads,
          kv_num_heads: config.kvHeads,
          do_rotary: 1,
          rotary_interleaved: 0,
          scale: { float: 1 / Math.sqrt(config.headSize) },
        },
      },
    ) as [string, string, string];
    graph.output(`present.${index}.key`, key, layers.float, cacheShape);
    graph.output(`present.${index}.value`, value, layers.float, cacheShape);
    const update = layers.linear(attended, layer.attentionOutput);
    const mlp = layers.rmsNorm({ ...attention.stream, update }, layer.mlpNorm);
    const inner = layers.swiglu(layers.linear(mlp.normed, layer.gateAndUp));
    stream = { ...mlp.stream, update: layers.linear(inner, layer.down) };
  });
  return layers.rmsNorm(stream, parameters.finalNorm).normed;
}
