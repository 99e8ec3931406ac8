/** The float64 reference agrees with what PyTorch recorded, so it can judge shapes that have no recording. */
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../src/convert/hugging-face.js';
import { calmHidden, decoderLogits, encode, headLatent, tokenLogits } from './reference/calm-forward.js';
import { concatenate, Parameters } from './reference/forward-layers.js';
import { GoldenFile, goldenFolder } from './reference/golden-file.js';
import { relativeError } from './reference/relative-error.js';

/** PyTorch computed in float32; over these few layers that is about 1e-6. */
const TOLERANCE = 1e-5;

describe.each(['energy-k4', 'energy-k2-bin-bf16', 'flow-k4', 'diffusion-k4'])('%s', name => {
  const golden = new GoldenFile(name);
  const calm = openCheckpoint(goldenFolder(name, 'checkpoint'));
  const autoencoder = openCheckpoint(goldenFolder(name, 'autoencoder'));
  if (calm.config.architecture === 'llama' || calm.config.architecture === 'autoencoder') {
    throw new Error('not a CALM');
  }
  if (autoencoder.config.architecture !== 'autoencoder') throw new Error('not an autoencoder');
  const parameters = new Parameters(calm.tensors);
  const decoder = new Parameters(autoencoder.tensors);
  const { config } = calm;
  const { config: decoderConfig } = autoencoder;
  const [, length = 0] = golden.shape('input_ids');
  const firstRow = golden.ids('input_ids').slice(0, length);
  const chunks = length / config.chunkSize;
  const firstRows = (tensor: string, count: number): Float32Array =>
    golden.floats(tensor).subarray(0, count * golden.shape(tensor).at(-1)!);

  test('hidden states', () => {
    const hidden = concatenate(calmHidden(parameters, config, firstRow));
    expect(relativeError(hidden, firstRows('hidden', chunks)).largest).toBeLessThan(TOLERANCE);
  });

  test('latents of the recorded hidden states and noise', () => {
    const latents = Array.from({ length: chunks }, (_, chunk) => {
      const hidden = Float64Array.from(golden.row('hidden', chunk));
      return headLatent(parameters, config, hidden, golden.noise(chunk));
    });
    // A hundred steps in float32 add up, the first of them by far the largest.
    const tolerance = name === 'diffusion-k4' ? 1e-4 : TOLERANCE;
    expect(relativeError(concatenate(latents), firstRows('latent', chunks)).largest).toBeLessThan(tolerance);
  });

  test('logits of the recorded latents', () => {
    const logits = Array.from({ length: chunks }, (_, chunk) =>
      concatenate(decoderLogits(decoder, decoderConfig, Float64Array.from(golden.row('latent', chunk)))),
    );
    const expected = firstRows('logits', chunks * config.chunkSize);
    expect(relativeError(concatenate(logits), expected).largest).toBeLessThan(TOLERANCE);
  });

  test('the autoencoder on the tokens', () => {
    const laws = Array.from({ length: chunks }, (_, chunk) => {
      const ids = firstRow.slice(chunk * config.chunkSize, (chunk + 1) * config.chunkSize);
      return encode(decoder, decoderConfig, ids);
    });
    const means = concatenate(laws.map(({ mean }) => mean));
    const logStds = concatenate(laws.map(({ logStd }) => logStd));
    expect(relativeError(means, firstRows('ae_mean', chunks)).largest).toBeLessThan(TOLERANCE);
    expect(relativeError(logStds, firstRows('ae_log_std', chunks)).largest).toBeLessThan(TOLERANCE);
  });
});

test('llama-tied-gqa: logits', () => {
  const golden = new GoldenFile('llama-tied-gqa');
  const { config, tensors } = openCheckpoint(goldenFolder('llama-tied-gqa', 'checkpoint'));
  if (config.architecture !== 'llama') throw new Error('not a Llama');
  const [, length = 0] = golden.shape('input_ids');
  const ids = golden.ids('input_ids').slice(0, length);
  const logits = concatenate(tokenLogits(new Parameters(tensors), config, ids));
  const expected = golden.floats('logits').subarray(0, logits.length);
  expect(relativeError(logits, expected).largest).toBeLessThan(TOLERANCE);
});
