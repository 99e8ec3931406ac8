/** Any head: hidden states and noise to latents. */
import type { HeadParameters } from '../weights/calm-parameters.js';
import { addDiffusion } from './diffusion-head.js';
import { addCandidates, addCondition } from './energy-head.js';
import { addFlow } from './flow-head.js';
import type { HeadInputs } from './head-inputs.js';
import type { LayerGraph } from './layers.js';

/** Latents [N, l], in the activation type. What depends on the hidden state alone is done once a row. */
export function addLatents(layers: LayerGraph, inputs: HeadInputs, head: HeadParameters): string {
  switch (head.kind) {
    case 'energy': {
      const { hidden, row, noise } = inputs;
      const shared = addCondition(layers, hidden, head);
      const condition = row === null ? shared : layers.graph.node('Gather', [shared, row]);
      return addCandidates(layers, condition, layers.fromFloat32(noise), head);
    }
    case 'flow':
      return layers.fromFloat32(addFlow(layers, inputs, head));
    case 'diffusion':
      return layers.fromFloat32(addDiffusion(layers, inputs, head));
  }
}
