/** The sizes of a packaged model, as far as FLOPs depend on them: from the manifest and the shapes of its matrices. */
import type { CalmManifest, Manifest } from '../runtime/manifest.js';
import type { BackboneShape, HeadShape, ModelShape } from './flops.js';

/** Null for a model with tensor names that this version does not know. */
export function shapeOfManifest(manifest: Manifest): ModelShape | null {
  const backbone = backboneShape(manifest);
  if (backbone === null) return null;
  if (manifest.kind === 'token') return { kind: 'token', backbone };
  const hiddenSize = columns(manifest, 'autoencoder.decoder.input.weight');
  const gateAndUp = columns(manifest, 'autoencoder.decoder.decoder_layers.0.gate_and_up.weight');
  if (hiddenSize === null || gateAndUp === null) return null;
  return {
    kind: 'calm',
    backbone,
    chunkSize: manifest.chunk_size,
    latentSize: manifest.head.latent_size,
    head: headShape(manifest),
    decoder: {
      hiddenSize,
      intermediateSize: gateAndUp / 2,
      layers: countOf(manifest, /^autoencoder\.decoder\.decoder_layers\.\d+\.layernorm\.weight$/),
    },
  };
}

function headShape(manifest: CalmManifest): HeadShape {
  const { head } = manifest;
  const blocks = countOf(manifest, /^head\.blocks\.\d+\.norm\.weight$/);
  switch (head.kind) {
    case 'energy':
      return { kind: 'energy', blocks, noiseSize: head.noise_size };
    case 'flow':
      return { kind: 'flow', blocks, evaluations: 2 * head.steps };
    case 'diffusion':
      return { kind: 'diffusion', blocks, evaluations: head.steps };
  }
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

/** Outputs of a matrix: plain ones and levels are stored [in, out], blocks [out, blocks, bytes]. */
function columns({ weights }: Manifest, name: string): number | null {
  const plain = weights.tensors[name] ?? weights.tensors[`${name}.levels`];
  return plain?.shape[1] ?? weights.tensors[`${name}.quantized`]?.shape[0] ?? null;
}

function countOf({ weights }: Manifest, name: RegExp): number {
  return Object.keys(weights.tensors).filter(tensor => name.test(tensor)).length;
}
