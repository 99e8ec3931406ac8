/** The energy head: noise and a hidden state to a latent (paper section 3.2, upstream's MLPGenerator). */
import type { EnergyHeadParameters } from '../weights/calm-parameters.js';
import type { LayerGraph } from './layers.js';

/**
 * What a candidate takes from the hidden state alone: hidden [B, h] -> [B, blocks * h], the y part of every block's
 * first linear. One row serves all candidates of that row.
 */
export function addCondition(layers: LayerGraph, hidden: string, head: EnergyHeadParameters): string {
  const embedded = layers.linear(hidden, head.hiddenEmbedding);
  return layers.linear(layers.layerNorm(embedded, head.hiddenNorm), head.condition);
}

/** condition [N, blocks * h], noise [N, noise size] -> latent [N, l], all in the activation type. */
export function addCandidates(
  layers: LayerGraph,
  condition: string,
  noise: string,
  head: EnergyHeadParameters,
): string {
  const conditions = layers.split(condition, head.blocks.length);
  let x = layers.layerNorm(layers.linear(noise, head.noiseEmbedding), head.noiseNorm);
  head.blocks.forEach((block, index) => {
    const fromNoise = layers.linear(layers.layerNorm(x, block.norm), block.fromNoise);
    const mixed = layers.silu(layers.add(fromNoise, conditions[index] as string));
    const inner = layers.silu(layers.linear(mixed, block.inner));
    const update = layers.linear(layers.swiglu(layers.linear(inner, block.gateAndUp)), block.down);
    x = layers.add(x, update);
  });
  const inner = layers.silu(layers.linear(layers.layerNorm(x, head.finalNorm), head.finalInner));
  return layers.linear(inner, head.finalOutput);
}
