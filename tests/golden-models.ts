/** Models of the golden checkpoints, and the rows of one step of them, for tests of what a step does. */
import { type LoadOptions, loadModel } from '../src/runtime/load-model.js';
import type { DecodeRow, LanguageModel } from '../src/runtime/model.js';
import { openPackage } from '../src/runtime/open-package.js';
import { OrtEnvironment } from '../src/runtime/ort/environment.js';
import { OrtLibrary } from '../src/runtime/ort/library.js';
import type { ChunkChoice } from '../src/sampler/decision.js';
import type { TemperatureLaw } from '../src/sampler/settings.js';
import { type GoldenCase, GoldenPackages } from './golden-package.js';

/** Draws enough for any decision in one step. */
const MANY = 1_000_000;

/** Converts each package once; `close` closes all models and deletes the packages. */
export class GoldenModels {
  readonly #packages = new GoldenPackages();
  readonly #environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 2 });
  readonly #directories = new Map<GoldenCase, string>();
  readonly #opened: LanguageModel[] = [];

  open(name: GoldenCase, options: LoadOptions = {}): LanguageModel {
    const directory = this.#directories.get(name) ?? this.#packages.convert(name, 'fp32');
    this.#directories.set(name, directory);
    const { model } = loadModel(this.#environment, openPackage(directory), {
      slots: 8,
      device: 'cpu',
      drawsPerStep: MANY,
      ...options,
    });
    this.#opened.push(model);
    return model;
  }

  close(): void {
    for (const model of this.#opened) model.close();
    this.#environment.close();
    this.#packages.remove();
  }
}

/** The chunks of a step in which every row was decided. */
export async function decode(model: LanguageModel, rows: readonly DecodeRow[]): Promise<ChunkChoice[]> {
  const { choices } = await model.step({ prefill: [], decode: rows });
  return choices.map(choice => {
    if (choice instanceof Error) throw choice;
    if ('kind' in choice) throw new Error('a decision was left open');
    return choice;
  });
}

/** A choice without what it cost: where candidates are decoded whole, that is more. */
export const chosen = ({ decodedPositions: _, ...choice }: ChunkChoice) => choice;

/** Token ids of eight prompts of different lengths, whole chunks of four. */
export const prompts = [3, 1, 9, 2, 14, 5, 7, 2].map((chunks, row) =>
  Array.from({ length: chunks * 4 }, (_, i) => (i * 37 + row * 101 + 11) % 380),
);

/** The row that decodes a prompt's last chunk; each prompt has a seed and a choice of its own. */
export function row(
  index: number,
  temperature: number,
  numCandidates = 40,
  temperatureLaw: TemperatureLaw = 'chunk',
): DecodeRow {
  const prompt = prompts[index] as number[];
  return {
    position: prompt.length / 4 - 1,
    chunk: prompt.slice(-4),
    step: index,
    sampling: { temperature, numCandidates, seed: 1000 + index, choice: index % 3, temperatureLaw },
  };
}

/** Everything of a prompt but its last chunk, which is decoded. */
export async function prefill(model: LanguageModel, index: number, slot: number): Promise<void> {
  const tokens = (prompts[index] as number[]).slice(0, -4);
  if (tokens.length > 0) await model.step({ prefill: [{ slot, position: 0, tokens }], decode: [] });
}
