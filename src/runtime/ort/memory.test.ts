import { afterAll, describe, expect, it } from 'vitest';
import { HandleStack } from './handle.js';
import { OrtLibrary } from './library.js';
import { Allocator, MemoryInfo } from './memory.js';
import { TensorBuffer } from './tensor-buffer.js';

const library = OrtLibrary.load();
const owned = new HandleStack();
const memory = owned.own(new MemoryInfo(library, 'cpu'));
const allocator = owned.own(Allocator.forHost(memory));
afterAll(() => owned.close());

describe('NativeBuffer', () => {
  // Lazy pages are what lets a cache reserve the longest context for every slot.
  it.runIf(process.platform === 'linux')('costs nothing until it is touched', () => {
    const gigabyte = 1 << 30;
    const before = process.memoryUsage.rss();
    const buffers = Array.from({ length: 4 }, () => allocator.allocate(gigabyte));
    const reserved = process.memoryUsage.rss() - before;
    new Uint8Array(buffers[2]!.view, 0, 64 << 20).fill(1);
    const touched = process.memoryUsage.rss() - before;
    for (const buffer of buffers) buffer.close();
    expect(reserved).toBeLessThan(32 << 20);
    expect(touched).toBeGreaterThan(48 << 20);
  });

  it('gives tensors over a part of it, and none beyond its end', () => {
    const buffer = allocator.allocate(48);
    new Float32Array(buffer.view).set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const middle = buffer.tensor('float32', [2, 2], 16);
    expect([...middle.read()]).toEqual([4, 5, 6, 7]);
    expect(() => buffer.tensor('float32', [2, 2], 36)).toThrow('ends at byte 52 of a buffer of 48');
    middle.close();
    buffer.close();
  });

  it('is released once, and is of no use afterwards', () => {
    const buffer = allocator.allocate(64);
    buffer.close();
    buffer.close();
    expect(() => buffer.tensor('float32', [1])).toThrow('The buffer is used after it was closed.');
  });

  it("says in ONNX Runtime's words what it could not allocate", () => {
    expect(() => allocator.allocate(2 ** 52)).toThrow(/could not allocate 4503599627370496 bytes on cpu/);
  });
});

describe('TensorBuffer', () => {
  it('writes int64 elements as their low words', () => {
    const buffer = new TensorBuffer(allocator, 'int64', 3);
    buffer.integers.set([7, 0, 128_256, 0, 2 ** 31 - 1, 0]);
    expect([...buffer.tensor([3]).read()]).toEqual([7n, 128_256n, 2n ** 31n - 1n]);
    buffer.close();
  });

  it('makes the tensor of a shape once', () => {
    const buffer = new TensorBuffer(allocator, 'float32', 6);
    expect(buffer.tensor([2, 3])).toBe(buffer.tensor([2, 3]));
    expect(buffer.tensor([3, 2])).not.toBe(buffer.tensor([2, 3]));
    buffer.close();
  });
});
