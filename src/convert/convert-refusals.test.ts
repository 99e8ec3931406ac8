import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { autoencoder, checkpoint, GoldenConversion } from '../../tests/golden-conversion.js';
import { goldenFolder } from '../../tests/reference/golden-file.js';

const golden = new GoldenConversion();
afterAll(() => golden.remove());

describe('a checkpoint that does not fit is refused in one sentence', () => {
  test('a tensor is missing', () => {
    const copy = golden.change(checkpoint, tensors =>
      tensors.delete('transformer.layers.1.mlp.up_proj.weight'),
    );
    const { code, message, param } = golden.failure({ checkpoint: copy });
    expect(code).toBe('bad_checkpoint');
    expect(param).toBe('transformer.layers.1.mlp.up_proj.weight');
    expect(message).toBe(
      `${copy}: the tensor transformer.layers.1.mlp.up_proj.weight of shape [176, 64] is missing from the weights.`,
    );
  });

  test('a tensor is missing under both of its names', () => {
    const copy = golden.change(autoencoder, tensors => tensors.delete('encoder.embed_tokens.weight'));
    expect(golden.failure({ autoencoder: copy }).message).toContain(
      'the tensor encoder.embed_tokens.weight (or decoder.lm_head_weight) of shape [384, 48] is missing',
    );
  });

  test('a tensor has another shape', () => {
    const copy = golden.change(checkpoint, tensors => {
      tensors.set('embed_proj.0.weight', { shape: [128, 128], values: new Float32Array(128 * 128) });
    });
    const { code, message } = golden.failure({ checkpoint: copy });
    expect(code).toBe('bad_checkpoint');
    expect(message).toBe(
      `${copy}: the tensor embed_proj.0.weight has the shape [128, 128], but config.json asks for [128, 256].`,
    );
  });

  test.each([
    ['flow-k4', 'generative_head.net.input_proj.weight', '[64, 16]'],
    ['flow-k4', 'generative_head.net.time_embed.mlp.0.weight', '[64, 256]'],
    ['diffusion-k4', 'generative_head.net.res_blocks.1.adaLN_modulation.1.bias', '[192]'],
    ['diffusion-k4', 'generative_head.net.final_layer.linear.weight', '[32, 64]'],
  ])('%s: %s is missing', (name, tensor, shape) => {
    const source = goldenFolder(name, 'checkpoint');
    const copy = golden.change(source, tensors => tensors.delete(tensor));
    const { code, message, param } = golden.failure({ checkpoint: copy, autoencoder: undefined });
    expect([code, param]).toEqual(['bad_checkpoint', tensor]);
    expect(message).toBe(`${copy}: the tensor ${tensor} of shape ${shape} is missing from the weights.`);
  });

  test('the head is of another kind than the configuration says', () => {
    const flow = goldenFolder('flow-k4', 'checkpoint');
    const asDiffusion = golden.change(flow, () => {}, { architectures: ['DiffusionTransformer'] });
    expect(golden.failure({ checkpoint: asDiffusion, autoencoder: undefined }).message).toBe(
      `${asDiffusion}: the tensor generative_head.net.final_layer.linear.weight has the shape [16, 64], but config.json asks for [32, 64].`,
    );
    const asEnergy = golden.change(flow, () => {}, { architectures: ['EnergyTransformer'] });
    expect(golden.failure({ checkpoint: asEnergy, autoencoder: undefined }).message).toMatch(
      /: the tensor mlp_generator\.\S+ of shape \S+ \S+ is missing from the weights\.$/,
    );
    const deeper = golden.change(flow, () => {}, { num_mlp_layers: 3 });
    expect(golden.failure({ checkpoint: deeper, autoencoder: undefined }).message).toContain('res_blocks.2.');
  });

  test('steps that a head does not have', () => {
    const stepsOf = (name: string, headSteps: number): string =>
      golden.failure({ checkpoint: goldenFolder(name, 'checkpoint'), autoencoder: undefined, headSteps })
        .message;
    expect(stepsOf('flow-k4', 501)).toBe(
      '--head-steps 501 is no number of steps for a flow head; give one from 1 to 500.',
    );
    expect(stepsOf('diffusion-k4', 1)).toContain('for a diffusion head; give one from 2 to 1000.');
    expect(stepsOf('energy-k4', 4)).toBe(
      '--head-steps is for CALMs with a flow or diffusion head, and this is a calm-energy model; leave it out.',
    );
  });

  test('a value is not a number, found in the middle of writing', () => {
    const copy = golden.change(checkpoint, tensors => {
      tensors.get('transformer.layers.2.mlp.down_proj.weight')!.values[5] = Number.NaN;
    });
    expect(golden.failure({ checkpoint: copy, weights: 'int8' }).message).toContain(
      'transformer.layers.2.mlp.down_proj.weight has values that are not finite',
    );
  });

  test('the autoencoder belongs to another CALM', () => {
    const other = goldenFolder('energy-k2-bin-bf16', 'autoencoder');
    const { code, message } = golden.failure({ autoencoder: other });
    expect(code).toBe('bad_checkpoint');
    expect(message).toContain('patch_size 4, but its autoencoder has 2');
  });

  test('the two folders are swapped, or the second is no autoencoder', () => {
    expect(golden.failure({ checkpoint: autoencoder }).message).toContain('is an autoencoder');
    expect(golden.failure({ autoencoder: checkpoint }).message).toContain('is no autoencoder');
  });

  test('there is no autoencoder', () => {
    const copy = golden.change(checkpoint, tensors => {
      for (const name of tensors.keys()) if (name.startsWith('ae_model.')) tensors.delete(name);
    });
    expect(golden.failure({ checkpoint: copy, autoencoder: undefined }).message).toContain('--autoencoder');
  });

  test('generation defaults out of range', () => {
    const copy = golden.change(checkpoint, () => {});
    writeFileSync(join(copy, 'generation_config.json'), JSON.stringify({ temperature: -1 }));
    expect(golden.failure({ checkpoint: copy }).message).toContain(
      'generation_config.json: temperature is not',
    );
    writeFileSync(join(copy, 'generation_config.json'), '{');
    expect(golden.failure({ checkpoint: copy }).message).toContain('is not valid JSON');
  });

  test('types that no package has', () => {
    expect(golden.failure({ weights: 'fp16', activations: 'fp32' }).code).toBe('bad_usage');
    expect(golden.failure({ weights: 'fp32', activations: 'fp16' }).code).toBe('bad_usage');
  });
});
