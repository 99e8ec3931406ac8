/** The layers that every part of a model is made of, as ONNX nodes. `x` is always [..., size] with any axes in front. */
import { type Dimensions, GraphBuilder, MICROSOFT } from '../onnx/graph-builder.js';
import type { Linear, Norm, Table } from '../weights/parameters.js';
import type { BlockMatrix, ChannelMatrix } from '../weights/stored-forms.js';
import type { WeightStore } from '../weights/weight-store.js';

/** A sum that is not written out yet: the norm that comes next adds and normalizes in one node. */
export interface ResidualStream {
  readonly residual: string;
  readonly update: string | null;
}

/**
 * Logits that are still to be multiplied by a positive number a row, `scale` [N, 1], where it is not null. The largest
 * one is at the same place, and a pass over all of them is saved.
 */
export interface UnscaledLogits {
  readonly values: string;
  readonly scale: string | null;
}

/** Levels of quantized activations: 1 to 255, and zero in their middle. */
const ZERO_LEVEL = 128;
const HALF_RANGE = 127;

/** Adds layers to one graph. */
export class LayerGraph {
  readonly graph: GraphBuilder;
  readonly store: WeightStore;
  /** Type of hidden states, norms and the cache. */
  readonly float: 'float32' | 'float16';

  constructor(name: string, dataFile: string, store: WeightStore) {
    this.graph = new GraphBuilder(name, dataFile);
    this.store = store;
    this.float = store.activationType === 'fp16' ? 'float16' : 'float32';
  }

  /** Declares a float32 graph input and gives it in the activation type. */
  float32Input(name: string, shape: Dimensions): string {
    return this.fromFloat32(this.graph.input(name, 'float32', shape));
  }

  fromFloat32(value: string): string {
    return this.float === 'float32' ? value : this.#cast(value, 10);
  }

  /** Makes an activation a float32 graph output. */
  float32Output(name: string, value: string, shape: Dimensions): void {
    this.graph.output(name, this.toFloat32(value), 'float32', shape);
  }

  toFloat32(value: string): string {
    return this.float === 'float32' ? value : this.#cast(value, 1);
  }

  #cast(value: string, to: number): string {
    return this.graph.node('Cast', [value], { attributes: { to } });
  }

  /** x W^T + b: [..., inputs] -> [..., outputs]. */
  linear(x: string, linear: Linear): string {
    const { weight, bias, inputs, outputs } = this.store.linear(linear);
    if (weight.form === 'dense') {
      const product = this.graph.node('MatMul', [x, this.graph.external(weight.tensor)]);
      return bias ? this.add(product, this.graph.external(bias)) : product;
    }
    if (weight.form === 'channels') {
      const { levels, scale } = this.#quantizeRows(x);
      const product = this.#integerProduct(levels, weight);
      const scaled = this.graph.node('Mul', [product, scale]);
      return bias ? this.add(scaled, this.graph.external(bias)) : scaled;
    }
    // Only the CPU's kernel is sure to take a bias; half precision is for CUDA.
    const inside = bias !== null && this.float === 'float32' ? this.graph.external(bias) : '';
    const product = this.#blockProduct(x, weight, inputs, outputs, inside);
    return bias && !inside ? this.add(product, this.graph.external(bias)) : product;
  }

  #blockProduct(x: string, matrix: BlockMatrix, inputs: number, outputs: number, bias = ''): string {
    const { format, data, scales, zeroPoints } = matrix;
    const operands = [
      x,
      this.graph.external(data),
      this.graph.external(scales),
      zeroPoints ? this.graph.external(zeroPoints) : '',
      '',
      bias,
    ];
    while (operands.at(-1) === '') operands.pop();
    return this.graph.node('MatMulNBits', operands, {
      domain: MICROSOFT,
      attributes: {
        K: inputs,
        N: outputs,
        bits: format.bits,
        block_size: format.blockSize,
        accuracy_level: 4,
      },
    });
  }

  /**
   * Each row in levels 1 to 255 about a zero of 128, by its own largest value, so that it does not depend on the other
   * rows: value = (level - 128) / 127 * scale. A row of zeros gives any levels, and they are scaled by zero.
   */
  #quantizeRows(x: string): { readonly levels: string; readonly scale: string } {
    const { graph, store } = this;
    const scale = graph.node('ReduceMax', [graph.node('Abs', [x]), graph.int64([-1])]);
    const levels = graph.node('QuantizeLinear', [
      graph.node('Div', [x, scale]),
      graph.float32(1 / HALF_RANGE),
      graph.external(store.zeroLevel(ZERO_LEVEL)),
    ]);
    return { levels, scale };
  }

  /** Rows of levels times a linear layer's levels, by the outputs' scales: the rows' own scales are still missing. */
  #integerProduct(levels: string, { levels: weight, scales }: ChannelMatrix): string {
    const { graph, store } = this;
    return graph.node(
      'MatMulIntegerToFloat',
      [
        levels,
        graph.external(weight),
        graph.float32(1 / HALF_RANGE),
        graph.external(scales),
        graph.external(store.zeroLevel(ZERO_LEVEL)),
      ],
      { domain: MICROSOFT },
    );
  }

  /** Rows of a table by token id: int64 [...] -> [..., size]. */
  lookup(ids: string, table: Table): string {
    const stored = this.store.table(table);
    if (stored.form === 'dense') return this.graph.node('Gather', [this.graph.external(stored.tensor), ids]);
    if (stored.form === 'channels') {
      const rows = this.graph.node('Gather', [this.graph.external(stored.matrix.levels), ids]);
      const scales = this.graph.node('Gather', [this.graph.external(stored.matrix.scales), ids]);
      const column = this.graph.node('Unsqueeze', [scales, this.graph.int64([-1])]);
      return this.graph.node('Mul', [this.#cast(rows, 1), column]);
    }
    const { format, scales, zeroPoints } = stored.matrix;
    const operands = [this.graph.external(stored.lookup), ids, this.graph.external(scales)];
    if (zeroPoints) operands.push(this.graph.external(zeroPoints));
    return this.graph.node('GatherBlockQuantized', operands, {
      domain: MICROSOFT,
      attributes: { bits: format.bits, block_size: format.blockSize, gather_axis: 0, quantize_axis: 1 },
    });
  }

  /** Logits x W^T in the activation type: [N, size] -> [N, vocabulary]. */
  logits(x: string, table: Table): string {
    return this.scaledLogits(this.unscaledLogits(x, table));
  }

  /** The logits themselves. */
  scaledLogits({ values, scale }: UnscaledLogits): string {
    return scale === null ? values : this.graph.node('Mul', [values, scale]);
  }

  /** What a search for the largest logit needs: [N, size] -> [N, vocabulary]. */
  unscaledLogits(x: string, table: Table): UnscaledLogits {
    const { graph } = this;
    const stored = this.store.table(table);
    switch (stored.form) {
      case 'blocks':
        return { values: this.#blockProduct(x, stored.matrix, stored.columns, stored.rows), scale: null };
      case 'dense': {
        // Gemm reads the table as it is looked up, so a tied table is stored once; so does QGemm.
        const logits = graph.node('Gemm', [x, graph.external(stored.tensor)], { attributes: { transB: 1 } });
        return { values: logits, scale: null };
      }
      case 'channels': {
        const { levels, scale } = this.#quantizeRows(x);
        const operands = [
          levels,
          graph.float32(1 / HALF_RANGE),
          graph.external(this.store.zeroLevel(ZERO_LEVEL)),
          graph.external(stored.matrix.levels),
          graph.external(stored.matrix.scales),
          graph.external(stored.zeroPoints),
        ];
        const values = graph.node('QGemm', operands, { domain: MICROSOFT, attributes: { transB: 1 } });
        return { values, scale };
      }
    }
  }

  add(a: string, b: string): string {
    return this.graph.node('Add', [a, b]);
  }

  /** LayerNorm over the last axis. */
  layerNorm(x: string, norm: Norm): string {
    const { weight, bias } = this.store.norm(norm);
    const operands = [x, this.graph.external(weight), ...(bias ? [this.graph.external(bias)] : [])];
    return this.graph.node('LayerNormalization', operands, {
      attributes: { axis: -1, epsilon: { float: norm.epsilon } },
    });
  }

  /** RMSNorm of a residual stream, and the stream with its sum written out. */
  rmsNorm(stream: ResidualStream, norm: Norm): { readonly normed: string; readonly stream: ResidualStream } {
    const scale = this.graph.external(this.store.norm(norm).weight);
    const epsilon = { float: norm.epsilon };
    if (stream.update === null) {
      const attributes = { axis: -1, epsilon, stash_type: 1 };
      const normed = this.graph.node('SimplifiedLayerNormalization', [stream.residual, scale], {
        attributes,
      });
      return { normed, stream };
    }
    const [normed, , , residual] = this.graph.nodes(
      'SkipSimplifiedLayerNormalization',
      [stream.update, stream.residual, scale],
      { domain: MICROSOFT, outputs: 4, attributes: { epsilon } },
    ) as [string, string, string, string];
    return { normed, stream: { residual, update: null } };
  }

  /** x * sigmoid(x). */
  silu(x: string): string {
    return this.graph.node('QuickGelu', [x], { domain: MICROSOFT, attributes: { alpha: { float: 1 } } });
  }

  /** silu(gate) * up, where the last axis holds gate and up one after the other. */
  swiglu(gateAndUp: string): string {
    const [gate, up] = this.split(gateAndUp, 2) as [string, string];
    return this.graph.node('Mul', [this.silu(gate), up]);
  }

  /** Equal parts of the last axis. */
  split(x: string, parts: number): string[] {
    if (parts === 1) return [x];
    return this.graph.nodes('Split', [x], { outputs: parts, attributes: { axis: -1, num_outputs: parts } });
  }

  /** Reshape; 0 keeps a size, -1 takes what is left. */
  reshape(x: string, shape: readonly number[]): string {
    return this.graph.node('Reshape', [x, this.graph.int64(shape)]);
  }
}
