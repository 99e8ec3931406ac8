/** README.md of a package: what is in it, in words and tables. */
import type { CalmConfig } from './config.js';
import type { Model } from './model.js';
import type { ManifestFields } from './package-writer.js';
import type { KindSummary } from './quantization-summary.js';

export interface ModelCardInputs {
  readonly model: Model;
  readonly fields: ManifestFields;
  readonly storage: readonly KindSummary[];
  readonly weightBytes: number;
  /** A text to stand first, such as data and training of a model that was trained here. */
  readonly text: string | null;
}

/** Markdown of the model card. */
export function modelCard({ model, fields, storage, weightBytes, text }: ModelCardInputs): string {
  const sections = [
    text?.trimEnd() ?? `# ${fields.name}\n\n${sentence(model, fields)}`,
    `## Package\n\n${table(['', ''], facts(model, fields, weightBytes))}`,
    `## Weights\n\n${storageText(fields)}\n\n${storageTable(storage)}`,
    '## Use\n\n```\ncalm serve --model <this folder>\n```',
  ];
  return `${sections.join('\n\n')}\n`;
}

function sentence(model: Model, { source }: ManifestFields): string {
  const kind =
    model.kind === 'calm'
      ? `A Continuous Autoregressive Language Model: each step predicts a latent that decodes to ${model.config.chunkSize} tokens.`
      : 'A Llama token model.';
  return `${kind} Converted from ${source}.`;
}

function facts(model: Model, fields: ManifestFields, weightBytes: number): string[][] {
  const { hidden_size, layers, heads, kv_heads, head_size, max_positions } = fields.backbone;
  const unit = model.kind === 'calm' ? `chunks of ${model.config.chunkSize} tokens` : 'tokens';
  const rows = [
    ['Source', fields.source],
    ['Backbone', `${layers} layers, hidden size ${hidden_size}, MLP ${model.config.intermediateSize}`],
    ['Attention', `${heads} heads of ${head_size}, ${kv_heads} key/value heads`],
    ['Context', `${max_positions} ${unit}`],
    ['Vocabulary', String(fields.vocab_size)],
  ];
  if (model.kind === 'calm') {
    const { config, autoencoderConfig } = model;
    rows.push(
      ['Head', headText(config)],
      [
        'Autoencoder',
        `hidden size ${autoencoderConfig.hiddenSize}, MLP ${autoencoderConfig.intermediateSize}`,
      ],
    );
  }
  rows.push(
    ['Weights, activations', `${fields.weight_type}, ${fields.activation_type}`],
    ['Size of the weights', `${(weightBytes / 1e6).toFixed(1)} MB`],
    ['Tokenizer', fields.tokenizer === null ? 'none: prompts are token ids' : 'tiktoken ranks'],
    ['Training', trainingText(fields)],
  );
  return rows;
}

function trainingText({ training_flops, distillation_flops }: ManifestFields): string {
  const own = training_flops === null ? 'not recorded' : `${training_flops.toPrecision(3)} FLOPs`;
  if (distillation_flops == null) return own;
  return `${own}, and ${distillation_flops.toPrecision(3)} FLOPs of a teacher and of what it wrote`;
}

function headText(config: CalmConfig): string {
  const sizes = `${config.headBlocks} blocks, latent ${config.latentSize}`;
  switch (config.architecture) {
    case 'calm-energy':
      return `energy, ${sizes}, noise ${config.noiseSize}`;
    case 'calm-flow':
      return `flow, ${sizes}, ${config.headSteps} midpoint steps`;
    case 'calm-diffusion':
      return `diffusion, ${sizes}, ${config.headSteps} steps`;
  }
}

function storageText({ weight_type }: ManifestFields): string {
  if (weight_type === 'fp32') return 'All weights are float32, as in the checkpoint or wider.';
  if (weight_type === 'fp16') return 'All weights are rounded to float16.';
  return (
    'Block-quantized; the error is the root mean square of (stored - original) relative to the original. ' +
    'Block sizes and zero points were chosen by it, matrices that no format fits stay wider.'
  );
}

function storageTable(storage: readonly KindSummary[]): string {
  return table(
    ['layers', 'stored as', 'matrices', 'values', 'relative error'],
    storage.map(({ kind, form, matrices, elements, relativeError }) => [
      kind,
      form,
      String(matrices),
      elements.toLocaleString('en-US'),
      relativeError === 0 ? '-' : `${(relativeError * 100).toFixed(2)} %`,
    ]),
  );
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}
