/** The network of flow and diffusion heads as ONNX nodes, its work divided by what it depends on. */
import {
  type DenoiserParameters,
  FINAL_MODULATIONS,
  MODULATIONS_PER_BLOCK,
} from '../weights/denoiser-parameters.js';
import type { LayerGraph } from './layers.js';

/**
 * What all candidates of a row share at each time: hidden [B, h] -> [times, B, modulations * h], in the activation
 * type. More than half of the network's multiply-adds are in here.
 */
export function addModulations(layers: LayerGraph, hidden: string, net: DenoiserParameters): string {
  const { graph } = layers;
  const times = graph.node('Unsqueeze', [graph.external(layers.store.constant(net.times)), graph.int64([1])]);
  const embedded = layers.add(layers.linear(hidden, net.condition), times);
  return layers.linear(layers.silu(embedded), net.modulation);
}

/**
 * The modulations at one time, for each candidate: shift, scale and gate of the blocks in turn, shift and scale of the
 * final layer, [N, h] each.
 *
 * @param index int64 scalar: which of the times
 * @param row int64 [N]: each candidate's row; null where candidate n belongs to row n
 */
export function addModulationsAt(
  layers: LayerGraph,
  modulations: string,
  index: string,
  row: string | null,
  net: DenoiserParameters,
): readonly string[] {
  const { graph } = layers;
  const atTime = graph.node('Gather', [modulations, index]);
  const parts = layers.split(atTime, MODULATIONS_PER_BLOCK * net.blocks.length + FINAL_MODULATIONS);
  return row === null ? parts : parts.map(part => graph.node('Gather', [part, row]));
}

/** States float32 [N, l] and their modulations -> the network's answer, float32 [N, outputs]. */
export function addAnswer(
  layers: LayerGraph,
  state: string,
  modulations: readonly string[],
  net: DenoiserParameters,
): string {
  const { graph } = layers;
  const modulate = (normed: string, shift: string | undefined, scale: string | undefined): string =>
    layers.add(graph.node('Mul', [normed, scale as string]), shift as string);
  let x = layers.linear(layers.fromFloat32(state), net.input);
  net.blocks.forEach((block, index) => {
    const [shift, scale, gate] = modulations.slice(MODULATIONS_PER_BLOCK * index);
    const inner = layers.linear(modulate(layers.layerNorm(x, block.norm), shift, scale), block.first);
    const update = layers.linear(layers.silu(inner), block.second);
    x = layers.add(x, graph.node('Mul', [update, gate as string]));
  });
  const [shift, scale] = modulations.slice(-FINAL_MODULATIONS);
  const answer = layers.linear(modulate(layers.layerNorm(x, net.finalNorm), shift, scale), net.output);
  return layers.toFloat32(answer);
}
