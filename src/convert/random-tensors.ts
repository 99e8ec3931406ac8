/** A checkpoint that has every tensor it is asked for, with random values: for benchmarks of a known shape. */
import type { TensorInfo, TensorSource } from './checkpoint.js';

const POOL_SIZE = 1 << 20;

/** Standard normal values by Box-Muller over a 32-bit congruential generator; only their spread matters here. */
function normalPool(seed: number): Float32Array {
  const pool = new Float32Array(POOL_SIZE);
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  for (let i = 0; i < POOL_SIZE; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    pool[i] = radius * Math.cos(angle);
    pool[i + 1] = radius * Math.sin(angle);
  }
  return pool;
}

/** FNV-1a: where in the pool a tensor starts. */
function hash(text: string): number {
  let value = 2_166_136_261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16_777_619);
  return value >>> 0;
}

/**
 * Random tensors of given shapes. Matrices have a standard deviation of 1 / sqrt(inputs), so that activations stay
 * near 1; norms are 1, biases 0. Values repeat after a pool of a million, which no timing can tell.
 */
export class RandomTensors implements TensorSource {
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #pool: Float32Array;

  constructor(shapes: ReadonlyMap<string, readonly number[]>, seed = 1) {
    this.#shapes = shapes;
    this.#pool = normalPool(seed);
  }

  info(name: string): TensorInfo | undefined {
    const shape = this.#shapes.get(name);
    return shape && { name, shape };
  }

  names(): readonly string[] {
    return [...this.#shapes.keys()];
  }

  read(name: string, from = 0, to?: number): Float32Array {
    const shape = this.#shapes.get(name) ?? [];
    const [rows = 0, columns = 1] = shape;
    const values = new Float32Array(((to ?? rows) - from) * columns);
    if (shape.length === 1) return name.endsWith('bias') ? values : values.fill(1);
    this.#fill(values, (hash(name) + from * columns) % POOL_SIZE, 1 / Math.sqrt(columns));
    return values;
  }

  #fill(values: Float32Array, start: number, scale: number): void {
    for (let done = 0, at = start; done < values.length; at = 0) {
      const length = Math.min(values.length - done, POOL_SIZE - at);
      for (let i = 0; i < length; i++) values[done + i] = (this.#pool[at + i] as number) * scale;
      done += length;
    }
  }

  close(): void {}
}
