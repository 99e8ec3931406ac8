/** A Hugging Face checkpoint folder: config.json beside weights in one of four layouts. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CalmError } from '../errors.js';
import type { TensorSource } from './checkpoint.js';
import { type CheckpointConfig, readCheckpointConfig } from './config.js';
import { PickleFile } from './pickle.js';
import { SafetensorsFile } from './safetensors.js';
import { openSharded } from './sharded.js';

/** An open checkpoint; the caller closes `tensors`. */
export interface Checkpoint {
  readonly config: CheckpointConfig;
  readonly tensors: TensorSource;
}

const openSafetensors = (path: string): TensorSource => new SafetensorsFile(path);
const openPickle = (path: string): TensorSource => new PickleFile(path);

/** Safetensors first: where a folder has both, they hold the same weights, and a pickle is the slower read. */
const layouts: readonly { file: string; open: (path: string) => TensorSource }[] = [
  { file: 'model.safetensors', open: openSafetensors },
  { file: 'model.safetensors.index.json', open: path => openSharded(path, openSafetensors) },
  { file: 'pytorch_model.bin', open: openPickle },
  { file: 'pytorch_model.bin.index.json', open: path => openSharded(path, openPickle) },
];

/**
 * Opens a checkpoint folder: parses the configuration and checks the weights' headers.
 * @throws CalmError bad_checkpoint or unsupported, with a sentence that names the file and the fix.
 */
export function openCheckpoint(dir: string): Checkpoint {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CalmError('bad_checkpoint', `The checkpoint folder ${dir} does not exist.`);
  }
  const config = readCheckpointConfig(dir);
  const layout = layouts.find(({ file }) => existsSync(join(dir, file)));
  if (layout === undefined) {
    throw new CalmError(
      'bad_checkpoint',
      `${dir} has no weights: expected one of ${layouts.map(({ file }) => file).join(', ')}; ` +
        `found ${readdirSync(dir).join(', ')}.`,
    );
  }
  return { config, tensors: layout.open(join(dir, layout.file)) };
}
