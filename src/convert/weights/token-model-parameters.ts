/** Parameters of a LlamaForCausalLM. */
import type { LlamaConfig } from '../config.js';
import type { CheckpointTensors } from './checkpoint-tensors.js';
import { type LlamaParameters, readLlama } from './llama-parameters.js';
import type { Table, TableUse } from './parameters.js';

export interface TokenModelParameters {
  readonly embedding: Table;
  /** The same table as `embedding` where the checkpoint ties them. */
  readonly projection: Table;
  readonly backbone: LlamaParameters;
}

/**
 * Reads a token model. A tied matrix may stand under either name.
 * @throws CalmError bad_checkpoint where a tensor is missing or has another shape.
 */
export function readTokenModel(tensors: CheckpointTensors, config: LlamaConfig): TokenModelParameters {
  const { vocabSize, hiddenSize, tieWordEmbeddings: tied } = config;
  const table = (name: string, names: readonly string[], use: TableUse): Table => ({
    name,
    kind: use === 'lookup' ? 'embedding' : 'vocabulary',
    weight: tensors.matrix(names, vocabSize, hiddenSize),
    use,
  });
  const names = ['model.embed_tokens.weight', 'lm_head.weight'] as const;
  const embedding = table('embedding', tied ? names : [names[0]], tied ? 'both' : 'lookup');
  return {
    embedding,
    projection: tied ? embedding : table('lm_head', [names[1]], 'projection'),
    backbone: readLlama(tensors, 'model.', config),
  };
}
