/** Layers in float64, one vector at a time: the naive twin of the graphs. No cache, no batch, no packing. */
import type { TensorSource } from '../../src/convert/checkpoint.js';

export type Vector = Float64Array;

/** Tensors of a checkpoint under any of their names, below a prefix. */
export class Parameters {
  readonly #source: TensorSource;
  readonly #prefix: string;
  readonly #values = new Map<string, Float32Array>();

  constructor(source: TensorSource, prefix = '') {
    this.#source = source;
    this.#prefix = prefix;
  }

  below(prefix: string): Parameters {
    return new Parameters(this.#source, this.#prefix + prefix);
  }

  has(name: string): boolean {
    return this.#source.info(this.#prefix + name) !== undefined;
  }

  read(...aliases: string[]): Float32Array {
    const name = aliases.map(alias => this.#prefix + alias).find(alias => this.#source.info(alias));
    if (name === undefined) throw new Error(`no tensor ${aliases.join(' or ')}`);
    const known = this.#values.get(name) ?? this.#source.read(name);
    this.#values.set(name, known);
    return known;
  }

  /** W x + b; b where the checkpoint has one. */
  linear(name: string, x: Vector): Vector {
    const product = times(this.read(`${name}.weight`), x);
    return this.has(`${name}.bias`) ? add(product, this.read(`${name}.bias`)) : product;
  }

  /** x / sqrt(mean(x^2) + epsilon) * weight. */
  rmsNorm(name: string, x: Vector, epsilon: number): Vector {
    const scale = 1 / Math.sqrt(mean(x.map(value => value * value)) + epsilon);
    const weight = this.read(`${name}.weight`);
    return x.map((value, i) => value * scale * weight[i]!);
  }

  /** (x - mean) / sqrt(variance + 1e-6) * weight + bias. */
  layerNorm(name: string, x: Vector): Vector {
    const centre = mean(x);
    const scale = 1 / Math.sqrt(mean(x.map(value => (value - centre) ** 2)) + 1e-6);
    const weight = this.read(`${name}.weight`);
    const bias = this.read(`${name}.bias`);
    return x.map((value, i) => (value - centre) * scale * weight[i]! + bias[i]!);
  }

  /** down(silu(gate(x)) * up(x)). */
  swiglu(name: string, x: Vector): Vector {
    const gate = silu(this.linear(`${name}.gate_proj`, x));
    const up = this.linear(`${name}.up_proj`, x);
    return this.linear(
      `${name}.down_proj`,
      gate.map((value, i) => value * up[i]!),
    );
  }

  /** Row `id` of a table. */
  row(id: number, size: number, ...aliases: string[]): Vector {
    return Float64Array.from(this.read(...aliases).subarray(id * size, (id + 1) * size));
  }
}

/** W x, where W [outputs, inputs] is stored row by row. */
export function times(weight: Float32Array, x: Vector): Vector {
  const inputs = x.length;
  return Float64Array.from({ length: weight.length / inputs }, (_, output) => {
    let sum = 0;
    for (let i = 0; i < inputs; i++) sum += weight[output * inputs + i]! * x[i]!;
    return sum;
  });
}

export function add(a: Vector, b: ArrayLike<number>): Vector {
  return a.map((value, i) => value + b[i]!);
}

export function silu(x: Vector): Vector {
  return x.map(value => value / (1 + Math.exp(-value)));
}

export function concatenate(parts: readonly Vector[]): Vector {
  return Float64Array.from(parts.flatMap(part => [...part]));
}

function mean(x: Vector): number {
  return x.reduce((sum, value) => sum + value, 0) / x.length;
}
