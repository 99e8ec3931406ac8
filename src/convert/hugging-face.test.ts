import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openCheckpoint } from './hugging-face.js';

const llama = {
  architectures: ['LlamaForCausalLM'],
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  vocab_size: 32,
  bos_token_id: 1,
  eos_token_id: 2,
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'calm-checkpoint-'));
  put('config.json', llama);
});
afterEach(() => rmSync(dir, { recursive: true }));

const put = (name: string, content: object | Uint8Array) =>
  writeFileSync(join(dir, name), content instanceof Uint8Array ? content : JSON.stringify(content));

/** A safetensors file with one float32 vector a name. */
function safetensors(tensors: Record<string, number[]>): Buffer {
  const header: Record<string, object> = {};
  let end = 0;
  for (const [name, values] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape: [values.length], data_offsets: [end, end + 4 * values.length] };
    end += 4 * values.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.from(Float32Array.from(Object.values(tensors).flat()).buffer)]);
}

describe('openCheckpoint', () => {
  test('reads one safetensors file, before any pickle beside it', () => {
    put('model.safetensors', safetensors({ w: [1, 2] }));
    put('pytorch_model.bin', Buffer.from('not looked at'));
    const { config, tensors } = openCheckpoint(dir);
    expect(config.architecture).toBe('llama');
    expect([...tensors.read('w')]).toEqual([1, 2]);
    tensors.close();
  });

  test('reads shards through their index', () => {
    put('model.safetensors.index.json', {
      metadata: {},
      weight_map: { a: '1.safetensors', b: '2.safetensors' },
    });
    put('1.safetensors', safetensors({ a: [1, 2, 3] }));
    put('2.safetensors', safetensors({ b: [4] }));
    const { tensors } = openCheckpoint(dir);
    expect(tensors.names()).toEqual(['a', 'b']);
    expect(tensors.info('a')).toEqual({ name: 'a', shape: [3] });
    expect(tensors.info('c')).toBeUndefined();
    expect([...tensors.read('a', 1, 3)]).toEqual([2, 3]);
    expect([...tensors.read('b')]).toEqual([4]);
    expect(() => tensors.read('c')).toThrow('names no tensor c');
    tensors.close();
  });

  test('reads shards that are pickles', () => {
    const pickle = new URL('../../tests/fixtures/pickle/protocol-2.bin', import.meta.url);
    copyFileSync(pickle, join(dir, 'pytorch_model-00001-of-00001.bin'));
    put('pytorch_model.bin.index.json', { weight_map: { scalar: 'pytorch_model-00001-of-00001.bin' } });
    const { tensors } = openCheckpoint(dir);
    expect(tensors.names()).toEqual(['scalar']);
    expect([...tensors.read('scalar')]).toEqual([2.5]);
    tensors.close();
  });

  test('a shard that is missing, or lacks a tensor, or lies elsewhere is named', () => {
    const index = (weight_map: object) => put('model.safetensors.index.json', { weight_map });
    index({ a: '1.safetensors' });
    expect(() => openCheckpoint(dir)).toThrow(/Cannot open .*1\.safetensors/);
    put('1.safetensors', safetensors({ b: [1] }));
    expect(() => openCheckpoint(dir)).toThrow(/1\.safetensors holds the tensor a, but it does not/);
    index({ a: '../1.safetensors' });
    expect(() => openCheckpoint(dir)).toThrow('shards must lie beside the index');
    put('model.safetensors.index.json', {});
    expect(() => openCheckpoint(dir)).toThrow('has no "weight_map"');
  });

  test('a folder without weights lists what it holds; a missing folder is named', () => {
    expect(() => openCheckpoint(dir)).toThrow(/expected one of model\.safetensors.*found config\.json/);
    expect(() => openCheckpoint(join(dir, 'absent'))).toThrow(/absent does not exist/);
  });
});
