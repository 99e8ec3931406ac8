/** Writes a model package: into a folder beside the target that takes the target's name once it is complete. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CalmError } from '../errors.js';
import {
  type GenerationDefaults,
  type GraphName,
  type Manifest,
  manifestSchema,
} from '../runtime/manifest.js';
import { DataFileWriter } from './onnx/data-file.js';
import type { GraphBuilder } from './onnx/graph-builder.js';

/** The one file with all weights. */
export const DATA_FILE = 'model.onnx.data';
/** tiktoken ranks. */
export const TOKENIZER_FILE = 'tokenizer.model';

/** Everything of a manifest but what the writer itself knows. */
export type ManifestFields = Manifest extends infer Each
  ? Each extends Manifest
    ? Omit<Each, 'format' | 'version' | 'created' | 'graphs' | 'weights'>
    : never
  : never;

export interface PackageContents {
  readonly manifest: ManifestFields;
  readonly graphs: ReadonlyMap<GraphName, GraphBuilder>;
  readonly generationDefaults: GenerationDefaults;
  readonly tokenizerRanks: Buffer | null;
  readonly modelCard: string;
}

/** A package under construction. `commit` or `discard` ends it. */
export class PackageWriter {
  readonly data: DataFileWriter;
  readonly #target: string;
  readonly #folder: string;
  readonly #replace: boolean;

  /**
   * Creates the temporary folder.
   * @throws CalmError bad_usage where the target exists and `replace` is not set.
   */
  constructor(target: string, replace: boolean) {
    this.#target = resolve(target);
    this.#replace = replace;
    if (!replace && existsSync(this.#target)) {
      throw new CalmError(
        'bad_usage',
        `${target} exists already: choose another --out, or add --force to replace it.`,
        { param: 'out' },
      );
    }
    this.#folder = join(dirname(this.#target), `.${basename(this.#target)}.partial-${process.pid}`);
    mkdirSync(this.#folder, { recursive: true });
    this.data = new DataFileWriter(join(this.#folder, DATA_FILE));
  }

  /** Writes the remaining files and puts the package in its place. */
  commit(contents: PackageContents): Manifest {
    this.data.close();
    const manifest = this.#manifest(contents);
    for (const [name, graph] of contents.graphs) this.#write(`${name}.onnx`, graph.encode());
    this.#write('generation_config.json', `${JSON.stringify(contents.generationDefaults, null, 2)}\n`);
    if (contents.tokenizerRanks !== null) this.#write(TOKENIZER_FILE, contents.tokenizerRanks);
    this.#write('README.md', contents.modelCard);
    this.#write('manifest.json', `${JSON.stringify(manifest, null, 1)}\n`);
    const old = `${this.#folder}.old`;
    if (this.#replace && existsSync(this.#target)) renameSync(this.#target, old);
    renameSync(this.#folder, this.#target);
    rmSync(old, { recursive: true, force: true });
    return manifest;
  }

  /** Removes what was written. Does nothing after `commit`. */
  discard(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #manifest({ manifest, graphs }: PackageContents): Manifest {
    return manifestSchema.parse({
      format: 'calm-serve',
      version: 1,
      ...manifest,
      created: new Date().toISOString(),
      graphs: Object.fromEntries(
        [...graphs].map(([name, graph]) => [
          name,
          { file: `${name}.onnx`, initializers: [...graph.externals] },
        ]),
      ),
      weights: { file: DATA_FILE, tensors: Object.fromEntries(this.data.tensors) },
    });
  }

  #write(name: string, contents: string | Uint8Array): void {
    writeFileSync(join(this.#folder, name), contents);
  }
}
