import { copyFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { editManifest, GoldenPackages } from '../../tests/golden-package.js';
import { CalmError } from '../errors.js';
import { type LoadOptions, loadModel } from './load-model.js';
import type { LanguageModel } from './model.js';
import { openPackage } from './open-package.js';
import { OrtEnvironment } from './ort/environment.js';
import { OrtLibrary } from './ort/library.js';

const packages = new GoldenPackages();
const library = OrtLibrary.load();
const environment = OrtEnvironment.open(library, { threads: 1 });
const calm = packages.convert('energy-k2-bin-bf16', 'fp32');
const calm16 = packages.convert('energy-k2-bin-bf16', 'fp16');
const token = packages.convert('llama-tied-gqa', 'int8');
afterAll(() => {
  environment.close();
  packages.remove();
});

/** One step that uses every graph of a model, on two slots. */
async function useAll(model: LanguageModel): Promise<void> {
  const tokens = Array.from({ length: 3 * model.chunkSize }, (_, i) => i + 5);
  const sampling = { temperature: 0.5, numCandidates: 6, seed: 1, choice: 0 };
  const chunk = tokens.slice(0, model.chunkSize);
  const { choices } = await model.step({
    prefill: [{ slot: 1, position: 0, tokens }],
    decode: [{ position: 0, chunk, step: 0, sampling }],
  });
  if (choices[0] instanceof Error) throw choices[0];
  await model.moveSlot(1, 0, 3);
}

/** The error with which a package is refused once it is to be loaded. */
function refusal(directory: string, options: LoadOptions = {}): CalmError {
  try {
    loadModel(environment, openPackage(directory), { slots: 2, device: 'cpu', ...options }).model.close();
  } catch (error) {
    expect(error).toBeInstanceOf(CalmError);
    expect((error as CalmError).message).not.toContain('\n');
    return error as CalmError;
  }
  throw new Error('The model was loaded.');
}

/** A library that records which handles are made and released: every address must come and go exactly once. */
function recordHandles(): { recorded: OrtLibrary; live: Map<bigint, string>; faults: string[] } {
  const live = new Map<bigint, string>();
  const faults: string[] = [];
  const record = (name: string, call: (...args: unknown[]) => unknown) => {
    const recorder = (...args: unknown[]): unknown => {
      if (/^(Release|AllocatorFree)/.test(name) && !live.delete(args.at(-1) as bigint)) faults.push(name);
      const result = call(...args);
      if (typeof result === 'bigint') live.set(result, `a status of ${name}`);
      if (/^(Create|AllocatorAlloc|SessionGet\w+(Name|TypeInfo)$)/.test(name)) {
        const [made] = args.findLast(Array.isArray) as [bigint | null];
        if (made !== null) live.set(made, name);
      }
      return result;
    };
    return Object.assign(recorder, { async: (call as unknown as { async: unknown }).async });
  };
  const api = Object.fromEntries(
    Object.entries(library.api).map(([name, member]) => [
      name,
      typeof member === 'function' ? record(name, member as (...args: unknown[]) => unknown) : member,
    ]),
  );
  return { recorded: Object.create(library, { api: { value: api } }) as OrtLibrary, live, faults };
}

describe('closing', () => {
  it.each([
    ['a fused CALM', calm, {}],
    ['a CALM in parts', calm, { split: true }],
    ['a token model', token, {}],
  ])('releases every native handle of %s exactly once', async (_, directory, options) => {
    const { recorded, live, faults } = recordHandles();
    const own = OrtEnvironment.open(recorded, { threads: 1 });
    const { model } = loadModel(own, openPackage(directory), { slots: 3, device: 'cpu', ...options });
    await useAll(model);
    expect(live.size).toBeGreaterThan(50);
    model.close();
    model.close();
    own.close();
    expect([...live.values()]).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('releases everything of a package that cannot be loaded', () => {
    const { recorded, live, faults } = recordHandles();
    const own = OrtEnvironment.open(recorded, { threads: 1 });
    const broken = packages.copy(calm, 'broken-draw');
    truncateSync(join(broken, 'draw.onnx'), 500);
    expect(() => loadModel(own, openPackage(broken), { slots: 2, device: 'cpu' })).toThrow(/draw\.onnx/);
    const huge = { slots: 2 ** 40, device: 'cpu' } as const;
    expect(() => loadModel(own, openPackage(calm), huge)).toThrow(
      /The cache of 1099511627776 slots .* lower/,
    );
    own.close();
    expect([...live.values()]).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('gives the memory back: 200 models, one after the other', { timeout: 120_000 }, async () => {
    const source = openPackage(token);
    const open = async (): Promise<void> => {
      const { model } = loadModel(environment, source, { slots: 2, device: 'cpu' });
      await useAll(model);
      model.close();
    };
    // The first ones grow the heaps of V8 and of the C library to their working size.
    for (let i = 0; i < 80; i += 1) await open();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 120; i += 1) await open();
    // Were its two sessions kept, each model would leave 1 MB behind.
    expect(process.memoryUsage.rss() - before).toBeLessThan(12 << 20);
  });
});

describe('a package that is broken inside', () => {
  it('is refused for a graph that is no ONNX', () => {
    const broken = packages.copy(calm, 'no-onnx');
    writeFileSync(join(broken, 'step.onnx'), 'these bytes are no graph');
    expect(refusal(broken)).toMatchObject({ code: 'bad_package' });
    expect(refusal(broken).message).toMatch(
      /could not load the graph .*step\.onnx: .* Convert the model again\.$/,
    );
  });

  it('is refused for a graph that lacks an input, or has one too many', () => {
    const lacking = packages.copy(calm, 'lacking');
    copyFileSync(join(lacking, 'backbone.onnx'), join(lacking, 'step.onnx'));
    editManifest(lacking, manifest => {
      const { backbone, step } = manifest.graphs;
      if (backbone && step) step.initializers = backbone.initializers;
    });
    expect(refusal(lacking).message).toMatch(/step\.onnx lacks the input noise; convert the model again/);
    const surplus = packages.copy(calm, 'surplus');
    copyFileSync(join(surplus, 'step.onnx'), join(surplus, 'backbone.onnx'));
    editManifest(surplus, manifest => {
      const { backbone, step } = manifest.graphs;
      if (backbone && step) backbone.initializers = step.initializers;
    });
    expect(refusal(surplus)).toMatchObject({ code: 'bad_package' });
  });

  it('is refused where manifest and graph disagree on a type or a size', () => {
    const type = packages.copy(calm, 'wrong-type');
    editManifest(type, manifest => {
      manifest.activation_type = 'fp16';
    });
    expect(refusal(type).message).toMatch(/past\.0\.key .* is float32 .*promises float16/);
    const size = packages.copy(calm, 'wrong-size');
    editManifest(size, manifest => {
      manifest.vocab_size = 500;
    });
    expect(refusal(size, { split: true }).message).toMatch(
      /logits .*decoder\.onnx is float32 \[-1,2,\d+\].*\[-1,2,500\]/,
    );
  });

  it('is refused for a graph that another part of the program wants and it does not have', () => {
    const small = packages.copy(calm, 'no-head');
    rmSync(join(small, 'head.onnx'));
    editManifest(small, manifest => {
      delete manifest.graphs.head;
    });
    expect(refusal(small, { split: true }).message).toMatch(/has no graph "head"/);
    const { model } = loadModel(environment, openPackage(small), { slots: 1, device: 'cpu' });
    model.close();
  });
});

describe('options', () => {
  it('give the model as many slots and as long a context as they say', () => {
    const open = (options: LoadOptions): [number, number] => {
      const { model } = loadModel(environment, openPackage(calm), { device: 'cpu', ...options });
      model.close();
      return [model.slotCount, model.contextChunks];
    };
    const [defaultSlots, whole] = open({});
    expect(defaultSlots).toBe(32);
    expect(whole).toBe(openPackage(calm).manifest.backbone.max_positions);
    expect(open({ slots: 5, maxModelLen: 21 })).toEqual([5, 10]);
    const { layers, kv_heads, head_size } = openPackage(calm).manifest.backbone;
    const slotBytes = layers * 2 * kv_heads * 10 * head_size * 4;
    expect(open({ slots: 5, maxModelLen: 20, kvCacheMemoryBytes: 3 * slotBytes + 1 })).toEqual([3, 10]);
  });

  it('that no model could follow are refused with the numbers that matter', () => {
    expect(refusal(calm, { kvCacheMemoryBytes: 100 })).toMatchObject({
      code: 'bad_usage',
      param: 'kv_cache_memory',
    });
    expect(refusal(calm, { kvCacheMemoryBytes: 100 }).message).toMatch(
      /A cache of 100 bytes holds no sequence: .* takes \d+ bytes/,
    );
    expect(refusal(calm, { maxModelLen: 1 }).message).toMatch(/can be set from 2 to \d+ tokens, not to 1/);
    expect(refusal(calm, { maxModelLen: 100_000 })).toMatchObject({
      code: 'bad_usage',
      param: 'max_model_len',
    });
  });
});

describe('device', () => {
  it('cuda needs a float16 package', () => {
    const error = refusal(calm, { device: 'cuda' });
    expect(error).toMatchObject({ code: 'device_unavailable', param: 'device' });
    expect(error.message).toMatch(/convert it with --weights fp16\.$/);
  });

  it('cuda needs a library with CUDA, and says which', () => {
    const error = refusal(calm16, { device: 'cuda' });
    expect(error).toMatchObject({ code: 'device_unavailable' });
    expect(error.message).toMatch(/^ONNX Runtime could not .*onnxruntime-gpu.*--ort-library\.$/);
  });

  it('auto falls back to the CPU with one line that says why', async () => {
    const { model, device, note } = loadModel(environment, openPackage(calm16), { slots: 2 });
    expect(device).toBe('cpu');
    expect(note).toBe('Device auto: energy-k2-bin-bf16-fp16 runs on the CPU, as ONNX Runtime finds no CUDA.');
    await useAll(model);
    model.close();
  });
});
