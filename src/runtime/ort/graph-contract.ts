/** The inputs and outputs that docs/model-package.md promises, compared with what a loaded graph declares. */
import { CalmError } from '../../errors.js';
import type { GraphName, Manifest } from '../manifest.js';
import type { ElementType } from './element-type.js';
import type { Session } from './session.js';
import type { TensorInfo } from './tensor-info.js';

/** A promised tensor; -1 stands for a length that varies. */
type Expected = readonly [name: string, elementType: ElementType, shape: readonly number[]];

interface GraphContract {
  readonly inputs: readonly Expected[];
  readonly outputs: readonly Expected[];
}

const ANY = -1;

/** Element type of hidden states and of the cache. */
export function activationElementType(manifest: Manifest): ElementType {
  return manifest.activation_type === 'fp16' ? 'float16' : 'float32';
}

/** Throws CalmError 'bad_package' where a graph is not the one that the package's kind promises. */
export function checkGraphContract(session: Session, manifest: Manifest, name: GraphName): void {
  const contract = manifest.kind === 'calm' ? calmContract(manifest, name) : tokenContract(manifest, name);
  for (const expected of contract.inputs) checkTensor(session, 'input', session.inputs, expected);
  for (const expected of contract.outputs) checkTensor(session, 'output', session.outputs, expected);
  const surplus = session.inputs.find(({ name }) => !contract.inputs.some(expected => expected[0] === name));
  if (surplus !== undefined) {
    throw new CalmError(
      'bad_package',
      `The graph ${session.file} wants an unknown input ${surplus.name}; convert the model again.`,
    );
  }
}

function checkTensor(
  session: Session,
  side: 'input' | 'output',
  declared: readonly TensorInfo[],
  [name, elementType, shape]: Expected,
): void {
  const found = declared.find(info => info.name === name);
  if (found === undefined) {
    throw new CalmError(
      'bad_package',
      `The graph ${session.file} lacks the ${side} ${name}; convert the model again.`,
    );
  }
  const fits =
    found.elementType === elementType &&
    found.shape.length === shape.length &&
    shape.every(
      (length, axis) => length === ANY || found.shape[axis] === ANY || found.shape[axis] === length,
    );
  if (fits) return;
  throw new CalmError(
    'bad_package',
    `The ${side} ${name} of the graph ${session.file} is ${found.elementType} [${found.shape}], ` +
      `but the manifest promises ${elementType} [${shape}]; convert the model again.`,
  );
}

function cacheContract(manifest: Manifest): GraphContract {
  const { layers, kv_heads, head_size } = manifest.backbone;
  const each = (prefix: string): Expected[] =>
    Array.from({ length: layers }, (_, layer) => ['key', 'value'].map(part => `${prefix}.${layer}.${part}`))
      .flat()
      .map(name => [name, activationElementType(manifest), [ANY, kv_heads, ANY, head_size]]);
  return {
    inputs: [['seqlens_k', 'int32', [ANY]], ['total_sequence_length', 'int32', []], ...each('past')],
    outputs: each('present'),
  };
}

function calmContract(manifest: Extract<Manifest, { kind: 'calm' }>, name: GraphName): GraphContract {
  const float = activationElementType(manifest);
  const cache = cacheContract(manifest);
  const { chunk_size: chunk, vocab_size: vocabulary } = manifest;
  const { noise_size: noiseSize, latent_size: latentSize } = manifest.head;
  const width = manifest.backbone.hidden_size;
  const noise: Expected = ['noise', 'float32', [ANY, noiseSize]];
  const drawInputs: Expected[] = [['hidden', float, [ANY, width]], ['row', 'int64', [ANY]], noise];
  const tokens: Expected = ['tokens', 'int64', [ANY, chunk]];
  switch (name) {
    case 'backbone':
      return {
        inputs: [['input_ids', 'int64', [ANY, ANY]], ...cache.inputs],
        outputs: [['hidden', float, [ANY, ANY, width]], ...cache.outputs],
      };
    case 'step':
      return {
        inputs: [['input_ids', 'int64', [ANY, chunk]], noise, ...cache.inputs],
        outputs: [['hidden', float, [ANY, width]], tokens, ...cache.outputs],
      };
    case 'draw':
      return { inputs: drawInputs, outputs: [tokens] };
    case 'position':
      return {
        inputs: [...drawInputs, ['place', 'int64', [ANY]]],
        outputs: [['tokens', 'int64', [ANY]]],
      };
    case 'head':
      return { inputs: drawInputs, outputs: [['latent', 'float32', [ANY, latentSize]]] };
    case 'decoder':
      return {
        inputs: [['latent', 'float32', [ANY, latentSize]]],
        outputs: [['logits', 'float32', [ANY, chunk, vocabulary]], tokens],
      };
    case 'encoder':
      return {
        inputs: [['input_ids', 'int64', [ANY, chunk]]],
        outputs: [
          ['mean', 'float32', [ANY, latentSize]],
          ['log_std', 'float32', [ANY, latentSize]],
        ],
      };
    default:
      throw new CalmError('bad_package', `A package of kind "calm" has no graph "${name}".`);
  }
}

function tokenContract(manifest: Extract<Manifest, { kind: 'token' }>, name: GraphName): GraphContract {
  const float = activationElementType(manifest);
  const cache = cacheContract(manifest);
  const width = manifest.backbone.hidden_size;
  const logits: Expected = ['logits', 'float32', [ANY, manifest.vocab_size]];
  switch (name) {
    case 'backbone':
      return {
        inputs: [['input_ids', 'int64', [ANY, ANY]], ...cache.inputs],
        outputs: [['hidden', float, [ANY, ANY, width]], ...cache.outputs],
      };
    case 'step':
      return {
        inputs: [
          ['input_ids', 'int64', [ANY, 1]],
          ['inverse_temperature', 'float32', [ANY, 1]],
          ['uniform', 'float32', [ANY, 1]],
          ...cache.inputs,
        ],
        outputs: [['tokens', 'int64', [ANY, 1]], logits, ...cache.outputs],
      };
    case 'lm_head':
      return { inputs: [['hidden', float, [ANY, width]]], outputs: [logits] };
    default:
      throw new CalmError('bad_package', `A package of kind "token" has no graph "${name}".`);
  }
}
