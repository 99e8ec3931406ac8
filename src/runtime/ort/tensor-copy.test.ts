import { afterAll, expect, it } from 'vitest';
import { OrtEnvironment } from './environment.js';
import { HandleStack } from './handle.js';
import { OrtLibrary } from './library.js';
import { Allocator, MemoryInfo } from './memory.js';
import { TensorBuffer } from './tensor-buffer.js';
import { TensorCopy } from './tensor-copy.js';

const library = OrtLibrary.load();
const owned = new HandleStack();
const environment = owned.own(OrtEnvironment.open(library, { threads: 1 }));
const allocator = owned.own(Allocator.forHost(owned.own(new MemoryInfo(library, 'cpu'))));
afterAll(() => owned.close());

it.each(['float32', 'float16'] as const)(
  'copies %s tensors onto tensors, and nothing beside them',
  async type => {
    const copy = owned.own(new TensorCopy(environment, type, 'cpu'));
    const buffers = [1, 2, 3].map(number => {
      const buffer = owned.own(new TensorBuffer(allocator, type, 8));
      buffer.integers.fill(number);
      return buffer;
    });
    const shape = [1, 2, 1, 2];
    const [first, second, third] = buffers.map(buffer => buffer.tensor(shape));
    await copy.copy([first!, second!], [second!, third!]);
    const copied = type === 'float32' ? 4 : 2;
    const expected = (before: number, after: number): number[] =>
      Array.from({ length: 2 * copied }, (_, i) => (i < copied ? after : before));
    expect(buffers.map(buffer => [...buffer.integers])).toEqual([
      expected(1, 1),
      expected(2, 1),
      expected(3, 1),
    ]);
  },
);

it('refuses shapes that differ', async () => {
  const copy = owned.own(new TensorCopy(environment, 'float32', 'cpu'));
  const buffer = owned.own(new TensorBuffer(allocator, 'float32', 8));
  await expect(copy.copy([buffer.tensor([4])], [buffer.tensor([3])])).rejects.toThrow(
    /^ONNX Runtime could not run/,
  );
});
