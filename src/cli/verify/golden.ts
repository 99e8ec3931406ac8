/** A file of recorded PyTorch outputs: a safetensors file whose tensors are named after what they hold. */
import { SafetensorsFile } from '../../convert/safetensors.js';
import { CalmError } from '../../errors.js';

/** Recorded numbers and their shape. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Recorded token ids and their shape. */
export interface GoldenIds {
  readonly shape: readonly number[];
  readonly ids: readonly number[];
}

/** B rows of S chunks of K tokens through every part of a CALM. */
export interface CalmGolden {
  readonly kind: 'calm';
  /** [B, S*K] */
  readonly inputIds: GoldenIds;
  /** [B, S, h] */
  readonly hidden: GoldenTensor;
  /** [B, S, noise], or [B, S, vectors, l] where a head takes several: a diffusion's start and what its steps add. */
  readonly noise: GoldenTensor;
  /** [B, S, l] */
  readonly latent: GoldenTensor;
  /** [B, S, K, V] */
  readonly logits: GoldenTensor;
  /** [B, S, K] */
  readonly tokens: GoldenIds;
  /** [B, S, l] each: the autoencoder's encoder on the input. */
  readonly mean: GoldenTensor;
  readonly logStd: GoldenTensor;
  /** Null where none was recorded. */
  readonly rollout: GoldenRollout | null;
}

/** A text that the reference generated, one draw a step. */
export interface GoldenRollout {
  /** [1, P*K] */
  readonly prompt: GoldenIds;
  /** [1, steps, noise] */
  readonly noise: GoldenTensor;
  /** [1, steps*K] */
  readonly tokens: GoldenIds;
}

/** B rows of S tokens through a token model. */
export interface TokenGolden {
  readonly kind: 'token';
  /** [B, S] */
  readonly inputIds: GoldenIds;
  /** [B, S, V] */
  readonly logits: GoldenTensor;
}

export type Golden = CalmGolden | TokenGolden;

/** Reads a golden file. @throws CalmError bad_golden where it is unreadable or lacks a tensor. */
export function readGolden(path: string): Golden {
  const file = openGolden(path);
  try {
    const ids = (name: string): GoldenIds => ({
      shape: shapeOf(file, path, name),
      ids: file.readIntegers(name),
    });
    const tensor = (name: string): GoldenTensor => ({
      shape: shapeOf(file, path, name),
      values: file.read(name),
    });
    if (!file.names().includes('hidden')) {
      return { kind: 'token', inputIds: ids('input_ids'), logits: tensor('logits') };
    }
    return {
      kind: 'calm',
      inputIds: ids('input_ids'),
      hidden: tensor('hidden'),
      noise: tensor('noise'),
      latent: tensor('latent'),
      logits: tensor('logits'),
      tokens: ids('tokens'),
      mean: tensor('ae_mean'),
      logStd: tensor('ae_log_std'),
      rollout: file.names().some(name => name.startsWith('rollout_'))
        ? { prompt: ids('rollout_prompt'), noise: tensor('rollout_noise'), tokens: ids('rollout_tokens') }
        : null,
    };
  } finally {
    file.close();
  }
}

function openGolden(path: string): SafetensorsFile {
  try {
    return new SafetensorsFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CalmError('bad_golden', `The golden file ${path} cannot be read: ${reason}`, { cause });
  }
}

function shapeOf(file: SafetensorsFile, path: string, name: string): readonly number[] {
  const info = file.info(name);
  if (info === undefined) {
    throw new CalmError('bad_golden', `The golden file ${path} lacks the tensor ${name}; record it again.`, {
      param: name,
    });
  }
  return info.shape;
}
