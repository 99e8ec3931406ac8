/** A checkpoint in several files: an index names the file of each tensor (`*.index.json` of transformers). */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { CalmError } from '../errors.js';
import type { TensorInfo, TensorSource } from './checkpoint.js';

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * Opens all shards that an index names and checks that each holds its tensors.
 * @param openShard reader of the shards' format.
 * @throws CalmError bad_checkpoint where the index or a shard is missing or does not fit.
 */
export function openSharded(indexFile: string, openShard: (path: string) => TensorSource): TensorSource {
  const shardOf = readIndex(indexFile);
  const shards = new Map<string, TensorSource>();
  const closeAll = () => {
    for (const shard of shards.values()) shard.close();
  };
  try {
    for (const [tensor, file] of shardOf) {
      const shard = shards.get(file) ?? openShard(join(dirname(indexFile), file));
      shards.set(file, shard);
      if (shard.info(tensor) === undefined) {
        throw new CalmError(
          'bad_checkpoint',
          `${indexFile} says that ${file} holds the tensor ${tensor}, but it does not: download both again.`,
          { param: tensor },
        );
      }
    }
  } catch (error) {
    closeAll();
    throw error;
  }
  return new ShardedSource(indexFile, shardOf, shards, closeAll);
}

class ShardedSource implements TensorSource {
  readonly #indexFile: string;
  readonly #shardOf: ReadonlyMap<string, string>;
  readonly #shards: ReadonlyMap<string, TensorSource>;
  readonly close: () => void;

  constructor(
    indexFile: string,
    shardOf: ReadonlyMap<string, string>,
    shards: ReadonlyMap<string, TensorSource>,
    close: () => void,
  ) {
    this.#indexFile = indexFile;
    this.#shardOf = shardOf;
    this.#shards = shards;
    this.close = close;
  }

  info(name: string): TensorInfo | undefined {
    return this.#shard(name)?.info(name);
  }

  names(): readonly string[] {
    return [...this.#shardOf.keys()];
  }

  read(name: string, from?: number, to?: number): Float32Array {
    const shard = this.#shard(name);
    if (shard === undefined) {
      throw new CalmError('bad_checkpoint', `${this.#indexFile} names no tensor ${name}.`, { param: name });
    }
    return shard.read(name, from, to);
  }

  #shard(name: string): TensorSource | undefined {
    const file = this.#shardOf.get(name);
    return file === undefined ? undefined : this.#shards.get(file);
  }
}

function readIndex(file: string): ReadonlyMap<string, string> {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new CalmError('bad_checkpoint', `${file} cannot be read as JSON: ${(cause as Error).message}.`, {
      cause,
    });
  }
  const index = indexSchema.safeParse(json);
  if (!index.success) {
    throw new CalmError('bad_checkpoint', `${file} has no "weight_map" from tensor names to file names.`);
  }
  const entries = Object.entries(index.data.weight_map);
  const outside = entries.find(([, shard]) => shard !== basename(shard) || shard === '..' || shard === '');
  if (outside !== undefined) {
    throw new CalmError(
      'bad_checkpoint',
      `${file} looks for the tensor ${outside[0]} in ${JSON.stringify(outside[1])}; shards must lie beside the index.`,
    );
  }
  return new Map(entries);
}
