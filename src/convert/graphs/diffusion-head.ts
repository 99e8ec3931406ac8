/** The diffusion head: respaced ancestral sampling, from noise to a latent. */
import { diffusionSteps } from '../head-schedule.js';
import type { DiffusionHeadParameters } from '../weights/calm-parameters.js';
import { addAnswer, addModulations, addModulationsAt } from './denoiser.js';
import type { HeadInputs } from './head-inputs.js';
import type { LayerGraph } from './layers.js';

/**
 * Standard normal noise [N, steps * l], the start and then what each step but the last adds -> latent float32 [N, l].
 */
export function addDiffusion(
  layers: LayerGraph,
  { hidden, row, noise }: HeadInputs,
  head: DiffusionHeadParameters,
): string {
  const { graph } = layers;
  const { net, steps, latentSize } = head;
  const schedule = diffusionSteps(steps);
  const modulations = addModulations(layers, hidden, net);
  const noises = graph.node('Transpose', [layers.reshape(noise, [-1, steps, latentSize])], {
    attributes: { perm: [1, 0, 2] },
  });
  const noiseAt = (index: string): string => graph.node('Gather', [noises, index]);
  const factor = (name: 'state' | 'noise' | 'spread' | 'spreadSlope'): string =>
    graph.float32s(
      schedule.map(step => step[name]),
      [steps],
    );
  const scaled = (value: string, name: Parameters<typeof factor>[0], index: string): string =>
    graph.node('Mul', [value, graph.node('Gather', [factor(name), index])]);

  /** The law of the next state: its mean, and the network's word on its spread. */
  const lawAfter = (state: string, index: string): { mean: string; spread: string } => {
    const answer = addAnswer(layers, state, addModulationsAt(layers, modulations, index, row, net), net);
    const [predicted, spread] = layers.split(answer, 2) as [string, string];
    const mean = layers.add(scaled(state, 'state', index), scaled(predicted, 'noise', index));
    return { mean, spread };
  };

  const start = {
    value: noiseAt(graph.int64([0], [])),
    type: 'float32',
    shape: ['N', latentSize],
  } as const;
  const almost = graph.loop(steps - 1, start, (step, state) => {
    const { mean, spread } = lawAfter(state, step);
    const logDeviation = layers.add(
      graph.node('Gather', [factor('spread'), step]),
      scaled(spread, 'spreadSlope', step),
    );
    const fresh = noiseAt(graph.node('Add', [step, graph.int64([1], [])]));
    return layers.add(mean, graph.node('Mul', [graph.node('Exp', [logDeviation]), fresh]));
  });
  return lawAfter(almost, graph.int64([steps - 1], [])).mean;
}
