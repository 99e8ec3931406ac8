/** The configuration of an autoencoder that lies inside a CALM checkpoint, read off its tensors' shapes. */
import { CalmError } from '../../errors.js';
import type { TensorSource } from '../checkpoint.js';
import type { AutoencoderConfig, CalmConfig } from '../config.js';

/** Upstream's name of the frozen copy inside a CALM checkpoint. */
export const INNER_AUTOENCODER = 'ae_model.';

/**
 * A CALM's config.json says nothing of its autoencoder's sizes; K, V and the latent size are the CALM's.
 * @throws CalmError bad_checkpoint where the checkpoint holds no autoencoder.
 */
export function autoencoderShape(
  source: TensorSource,
  folder: string,
  { vocabSize, chunkSize, latentSize, rmsEps }: CalmConfig,
): AutoencoderConfig {
  const sizes = source.info(`${INNER_AUTOENCODER}encoder.encoder_layers.0.mlp.gate_proj.weight`)?.shape;
  const [intermediateSize, hiddenSize] = sizes ?? [];
  if (intermediateSize === undefined || hiddenSize === undefined) {
    throw new CalmError(
      'bad_checkpoint',
      `${folder} holds no autoencoder (no tensor below ${INNER_AUTOENCODER}): name its folder with --autoencoder.`,
      { param: 'autoencoder' },
    );
  }
  const layerCount = (stack: string): number => {
    const name = (index: number) => `${INNER_AUTOENCODER}${stack}.${index}.layernorm.weight`;
    let layers = 0;
    while (source.info(name(layers)) !== undefined) layers++;
    return layers;
  };
  return {
    architecture: 'autoencoder',
    hiddenSize,
    intermediateSize,
    encoderLayers: layerCount('encoder.encoder_layers'),
    decoderLayers: layerCount('decoder.decoder_layers'),
    vocabSize,
    chunkSize,
    latentSize,
    rmsEps,
    mlpBias: source.info(`${INNER_AUTOENCODER}encoder.encoder_layers.0.mlp.gate_proj.bias`) !== undefined,
  };
}
