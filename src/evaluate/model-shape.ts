/** The sizes of a packaged model, as far as FLOPs depend on them: from the manifest and the shapes of its matrices. */
import type { Manifest } from '../runtime/manifest.js';
import type { BackboneShape, ModelShape } from './flops.js';

/** Null for a model with a head, or tensor names, that this version does not know. */
export function shapeOfManifest(manifest: Manifest): ModelShape | null {
  const backbone = backboneShape(manifest);
  if (backbone === null) return null;
  if (manifest.kind === 'token') return { kind: 'token', backbone };
  const { kind, latent_size: latentSize, noise_size: noiseSize } = manifest.head;
  const hiddenSize = columns(manifest, 'autoencoder.decoder.input.weight');
  const gateAndUp = columns(manifest, 'autoencoder.decoder.decoder_layers.0.gate_and_up.weight');
  if (kind !== 'energy' || hiddenSize === null || gateAndUp === null) return null;
  return {
    kind: 'calm',
    backbone,
    chunkSize: manifest.chunk_size,
    latentSize,
    noiseSize,
    headBlocks: countOf(manifest, /^head\.blocks\.\d+\.norm\.weight$/),
    decoder: {
      hiddenSize,
      intermediateSize: gateAndUp / 2,
      layers: countOf(manifest, /^autoencoder\.decoder\.decoder_layers\.\d+\.layernorm\.weight$/),
    },
  };
}

function backboneShape(manifest: Manifest): BackboneShape | null {
  const { layers, hidden_size, heads, kv_heads, head_size } = manifest.backbone;
  const gateAndUp = columns(manifest, 'backbone.layers.0.gate_and_up.weight');
  if (gateAndUp === null) return null;
  return {
    layers,
    hiddenSize: hidden_size,
    intermediateSize: gateAndUp / 2,
    attentionSize: heads * head_size,
    kvSize: kv_heads * head_size,
    vocabSize: manifest.vocab_size,
  };
}

/** Outputs of a matrix: plain ones are stored [in, out], quantized ones [out, blocks, bytes]. */
function columns({ weights }: Manifest, name: string): number | null {
  return weights.tensors[name]?.shape[1] ?? weights.tensors[`${name}.quantized`]?.shape[0] ?? null;
}

function countOf({ weights }: Manifest, name: RegExp): number {
  return Object.keys(weights.tensors).filter(tensor => name.test(tensor)).length;
}
