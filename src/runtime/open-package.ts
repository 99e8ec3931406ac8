/** Reading and checking a model package's description: docs/model-package.md. Weights and graphs stay on disk. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { z } from 'zod';
import { CalmError } from '../errors.js';
import {
  type GenerationDefaults,
  type GraphName,
  generationDefaultsSchema,
  MANIFEST_VERSION,
  type Manifest,
  manifestSchema,
} from './manifest.js';

/** A model package whose description has been read and found complete. */
export interface ModelPackage {
  readonly directory: string;
  readonly manifest: Manifest;
  /** generation_config.json; empty where the package has none. */
  readonly defaults: GenerationDefaults;
}

const MANIFEST_FILE = 'manifest.json';
const DEFAULTS_FILE = 'generation_config.json';

/** The graphs that a package must hold to be served; the others serve verification. */
const requiredGraphs: Record<Manifest['kind'], readonly GraphName[]> = {
  calm: ['backbone', 'draw', 'step'],
  token: ['backbone', 'step'],
};

const elementBytes = { float32: 4, float16: 2, uint8: 1, int8: 1, int64: 8 } as const;

/**
 * The folder of a model that is named by a path or by the name of a folder in `modelsDirectory`. A path wins over a
 * name. Throws CalmError 'bad_package' where there is neither.
 */
export function resolvePackage(model: string, modelsDirectory: string): string {
  const candidates = [resolve(model), ...(basename(model) === model ? [join(modelsDirectory, model)] : [])];
  const found = candidates.find(directory => existsSync(join(directory, MANIFEST_FILE)));
  if (found !== undefined) return found;
  if (candidates.some(existsSync)) {
    throw new CalmError(
      'bad_package',
      `The folder ${model} holds no ${MANIFEST_FILE}; convert a checkpoint into it.`,
      {
        param: 'model',
      },
    );
  }
  const known = listPackages(modelsDirectory);
  const names = known.length > 0 ? known.join(', ') : 'none';
  throw new CalmError(
    'bad_package',
    `There is no model "${model}": name a model package's folder, or one of ${modelsDirectory} (${names}).`,
    { param: 'model' },
  );
}

/** Names of the packages in a folder of packages, sorted; empty where the folder does not exist. */
export function listPackages(modelsDirectory: string): string[] {
  if (!existsSync(modelsDirectory)) return [];
  return readdirSync(modelsDirectory)
    .filter(name => existsSync(join(modelsDirectory, name, MANIFEST_FILE)))
    .sort();
}

/** Reads a package's description and checks it against its files. Throws CalmError 'bad_package'. */
export function openPackage(directory: string): ModelPackage {
  if (!existsSync(directory)) {
    throw new CalmError('bad_package', `The model folder ${directory} does not exist.`, { param: 'model' });
  }
  const file = join(directory, MANIFEST_FILE);
  const json = readJson(file);
  checkVersion(file, json);
  const manifest = parse(file, manifestSchema, json);
  checkGraphs(directory, manifest);
  checkWeights(directory, manifest);
  const defaultsFile = join(directory, DEFAULTS_FILE);
  const defaults = existsSync(defaultsFile)
    ? parse(defaultsFile, generationDefaultsSchema, readJson(defaultsFile))
    : {};
  return { directory, manifest, defaults };
}

/** A file of the package, by the name that the manifest gives it. */
export function packageFile(model: Pick<ModelPackage, 'directory'>, name: string): string {
  return join(model.directory, name);
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CalmError('bad_package', `The file ${file} cannot be read; convert the model again.`, {
      cause,
    });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CalmError('bad_package', `The file ${file} is not valid JSON: ${reason}.`, { cause });
  }
}

/** Before anything else is judged: a newer writer may have changed every other rule. */
function checkVersion(file: string, json: unknown): void {
  const fields = typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
  if (fields.format !== 'calm-serve') {
    throw new CalmError('bad_package', `The file ${file} does not describe a calm-serve model package.`);
  }
  if (typeof fields.version === 'number' && fields.version > MANIFEST_VERSION) {
    throw new CalmError(
      'bad_package',
      `The file ${file} has version ${fields.version}, but this calm-serve reads version ${MANIFEST_VERSION}; update calm-serve.`,
    );
  }
}

function parse<T>(file: string, schema: z.ZodType<T>, json: unknown): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue?.path.join('.') || 'the top level';
  throw new CalmError(
    'bad_package',
    `The file ${file} is wrong at ${path}: ${issue?.message ?? 'unknown reason'}.`,
  );
}

function checkGraphs(directory: string, manifest: Manifest): void {
  for (const name of requiredGraphs[manifest.kind]) {
    if (manifest.graphs[name] === undefined) {
      throw new CalmError(
        'bad_package',
        `The package ${directory} has no graph "${name}"; convert the model again.`,
      );
    }
  }
  for (const [name, graph] of Object.entries(manifest.graphs)) {
    if (!existsSync(packageMember(directory, graph.file))) {
      throw new CalmError(
        'bad_package',
        `The package ${directory} lacks the file ${graph.file} of the graph "${name}"; copy or convert it again.`,
      );
    }
    const unknown = graph.initializers.find(tensor => !Object.hasOwn(manifest.weights.tensors, tensor));
    if (unknown !== undefined) {
      throw new CalmError(
        'bad_package',
        `The graph "${name}" of ${directory} uses the tensor ${unknown}, which its manifest does not list.`,
      );
    }
  }
}

function checkWeights(directory: string, manifest: Manifest): void {
  const { file, tensors } = manifest.weights;
  const path = packageMember(directory, file);
  const size = existsSync(path) ? statSync(path).size : null;
  if (size === null) {
    throw new CalmError(
      'bad_package',
      `The package ${directory} lacks its weights, ${file}; copy or convert it again.`,
    );
  }
  for (const [name, { dtype, shape, offset, bytes }] of Object.entries(tensors)) {
    const expected = shape.reduce((product, length) => product * length, elementBytes[dtype]);
    if (bytes !== expected) {
      throw new CalmError(
        'bad_package',
        `The manifest of ${directory} gives the tensor ${name} ${bytes} bytes, but its shape [${shape}] of ${dtype} has ${expected}.`,
      );
    }
    if (offset + bytes > size) {
      throw new CalmError(
        'bad_package',
        `The file ${path} has ${size} bytes, but the tensor ${name} ends at byte ${offset + bytes}; copy or convert the model again.`,
      );
    }
  }
}

/** A package reaches no file outside its own folder. */
function packageMember(directory: string, file: string): string {
  if (basename(file) !== file) {
    throw new CalmError(
      'bad_package',
      `The manifest of ${directory} names the file "${file}"; only plain file names may stand there.`,
    );
  }
  return join(directory, file);
}
