/** The flow head: noise is carried along the network's velocity from time 0 to 1 by the midpoint rule. */
import type { FlowHeadParameters } from '../weights/calm-parameters.js';
import { addAnswer, addModulations, addModulationsAt } from './denoiser.js';
import type { HeadInputs } from './head-inputs.js';
import type { LayerGraph } from './layers.js';

/** Standard normal noise [N, l] -> latent float32 [N, l]. */
export function addFlow(
  layers: LayerGraph,
  { hidden, row, noise }: HeadInputs,
  head: FlowHeadParameters,
): string {
  const { graph } = layers;
  const { net, steps, latentSize } = head;
  const modulations = addModulations(layers, hidden, net);
  const velocity = (state: string, index: string): string =>
    addAnswer(layers, state, addModulationsAt(layers, modulations, index, row, net), net);
  const move = (state: string, direction: string, distance: number): string =>
    layers.add(state, graph.node('Mul', [direction, graph.float32(distance)]));
  const start = { value: noise, type: 'float32', shape: ['N', latentSize] } as const;
  return graph.loop(steps, start, (step, state) => {
    const first = graph.node('Mul', [step, graph.int64([2], [])]);
    const middle = move(state, velocity(state, first), 0.5 / steps);
    return move(state, velocity(middle, graph.node('Add', [first, graph.int64([1], [])])), 1 / steps);
  });
}
