/** The wish for another number of steps of a flow or diffusion head. */
import { CalmError } from '../errors.js';
import type { CheckpointConfig } from './config.js';
import { HEAD_STEP_LIMITS } from './head-schedule.js';

/**
 * The configuration with that many steps, or as it is where none are asked for.
 * @throws CalmError bad_usage for steps that the model's head does not have.
 */
export function withHeadSteps<Config extends CheckpointConfig>(
  config: Config,
  steps: number | undefined,
): Config {
  if (steps === undefined) return config;
  const kind = stepwiseHead(config);
  if (kind === null) {
    throw new CalmError(
      'bad_usage',
      `--head-steps is for CALMs with a flow or diffusion head, and this is a ${config.architecture} model; leave it out.`,
      { param: 'head-steps' },
    );
  }
  const { least, most } = HEAD_STEP_LIMITS[kind];
  if (steps < least || steps > most) {
    throw new CalmError(
      'bad_usage',
      `--head-steps ${steps} is no number of steps for a ${kind} head; give one from ${least} to ${most}.`,
      { param: 'head-steps' },
    );
  }
  return { ...config, headSteps: steps };
}

function stepwiseHead(config: CheckpointConfig): 'flow' | 'diffusion' | null {
  switch (config.architecture) {
    case 'calm-flow':
      return 'flow';
    case 'calm-diffusion':
      return 'diffusion';
    default:
      return null;
  }
}
