/**
 * Builds one ONNX graph: nodes in order of execution, weights as external initializers over the package's data file.
 * Values are plain strings, the names of the tensors that flow between nodes.
 */
import { createHash } from 'node:crypto';
import type { StoredTensor } from '../../runtime/manifest.js';
import {
  ATTRIBUTE_TYPE,
  type AttributeProto,
  ELEMENT_TYPE,
  type ElementType,
  EXTERNAL_DATA,
  encodeModel,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './proto.js';

/** Operators of ONNX Runtime that are not in the ONNX standard. */
export const MICROSOFT = 'com.microsoft';
const OPSETS = [
  { domain: '', version: 18 },
  { domain: MICROSOFT, version: 1 },
];
/** ONNX 1.14, the version that goes with opset 18. */
const IR_VERSION = 8;

/** An integer, a list of integers, a string, a float marked as such, or a graph. */
export type Attribute = number | readonly number[] | string | { readonly float: number } | GraphProto;
/** Sizes of a graph input or output; a string names a size that varies. */
export type Dimensions = readonly (number | string)[];

export interface NodeOptions {
  readonly domain?: string;
  /** How many outputs the node has; 1 by default. */
  readonly outputs?: number;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** A file name of weights, and what a graph needs to know of a tensor in it. */
export interface ExternalTensor extends StoredTensor {
  readonly name: string;
}

function attributeProto(name: string, value: Attribute): AttributeProto {
  if (typeof value === 'number') return { name, type: ATTRIBUTE_TYPE.int, i: value };
  if (typeof value === 'string') return { name, type: ATTRIBUTE_TYPE.string, s: Buffer.from(value) };
  if ('node' in value) return { name, type: ATTRIBUTE_TYPE.graph, g: value };
  if ('float' in value) return { name, type: ATTRIBUTE_TYPE.float, f: value.float };
  return { name, type: ATTRIBUTE_TYPE.ints, ints: value };
}

function valueInfo(name: string, type: ElementType, shape: Dimensions): ValueInfoProto {
  const dim = shape.map(size => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: ELEMENT_TYPE[type], shape: { dim } } } };
}

/** One graph under construction. */
export class GraphBuilder {
  readonly name: string;
  readonly #dataFile: string;
  #nodes: NodeProto[] = [];
  readonly #inputs = new Map<string, ValueInfoProto>();
  readonly #outputs = new Map<string, ValueInfoProto>();
  readonly #initializers = new Map<string, TensorProto>();
  readonly #externals: string[] = [];
  /** Value -> the name that it has as a graph output. */
  readonly #renamed = new Map<string, string>();
  #valueCount = 0;

  constructor(name: string, dataFile: string) {
    this.name = name;
    this.#dataFile = dataFile;
  }

  /** Names of the external initializers, in order of first use. */
  get externals(): readonly string[] {
    return this.#externals;
  }

  /** Declares a graph input and gives its value. */
  input(name: string, type: ElementType, shape: Dimensions): string {
    this.#inputs.set(name, valueInfo(name, type, shape));
    return name;
  }

  /** Makes `value` a graph output under `name`. */
  output(name: string, value: string, type: ElementType, shape: Dimensions): void {
    this.#outputs.set(name, valueInfo(name, type, shape));
    if (this.#inputs.has(value) || this.#renamed.has(value)) {
      this.#append('Identity', [value], [name], {});
    } else {
      this.#renamed.set(value, name);
    }
  }

  /** Adds a node with one output and gives that output. An absent optional input is ''. */
  node(opType: string, inputs: readonly string[], options: NodeOptions = {}): string {
    return this.nodes(opType, inputs, options)[0] as string;
  }

  /** Adds a node and gives all its outputs. */
  nodes(opType: string, inputs: readonly string[], options: NodeOptions = {}): string[] {
    const outputs = Array.from({ length: options.outputs ?? 1 }, () => `v${this.#valueCount++}`);
    this.#append(opType, inputs, outputs, options);
    return outputs;
  }

  #append(
    opType: string,
    input: readonly string[],
    output: readonly string[],
    { domain = '', attributes = {} }: NodeOptions,
  ): void {
    const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
    this.#nodes.push({ name: `${opType}_${this.#nodes.length}`, opType, domain, input, output, attribute });
  }

  /**
   * Repeats a piece of the graph: `step` adds the nodes that make the next state from the current one and from the
   * number of the repetition, an int64 scalar. They may use any value of the graph around them.
   */
  loop(
    count: number,
    state: { readonly value: string; readonly type: ElementType; readonly shape: Dimensions },
    step: (iteration: string, state: string) => string,
  ): string {
    const [iteration, condition, goOn, before] = Array.from(
      { length: 4 },
      () => `v${this.#valueCount++}`,
    ) as [string, string, string, string];
    const outside = this.#nodes;
    this.#nodes = [];
    this.#append('Identity', [condition], [goOn], {});
    const after = step(iteration, before);
    const body: GraphProto = {
      name: `loop_${after}`,
      node: this.#nodes,
      initializer: [],
      input: [
        valueInfo(iteration, 'int64', []),
        valueInfo(condition, 'bool', []),
        valueInfo(before, state.type, state.shape),
      ],
      output: [valueInfo(goOn, 'bool', []), valueInfo(after, state.type, state.shape)],
    };
    this.#nodes = outside;
    return this.node('Loop', [this.int64([count], []), '', state.value], { attributes: { body } });
  }

  /** A weight in the package's data file. */
  external(tensor: ExternalTensor): string {
    if (!this.#initializers.has(tensor.name)) {
      this.#externals.push(tensor.name);
      this.#initializers.set(tensor.name, {
        name: tensor.name,
        dims: tensor.shape,
        dataType: ELEMENT_TYPE[tensor.dtype],
        dataLocation: EXTERNAL_DATA,
        externalData: [
          { key: 'location', value: this.#dataFile },
          { key: 'offset', value: String(tensor.offset) },
          { key: 'length', value: String(tensor.bytes) },
        ],
      });
    }
    return tensor.name;
  }

  /** A constant of a few int64 inside the graph; a scalar where `shape` is []. */
  int64(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#inline('int64', shape, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  /** A float32 scalar constant inside the graph. */
  float32(value: number): string {
    return this.float32s([value], []);
  }

  /** A constant of a few float32 inside the graph. */
  float32s(values: readonly number[], shape: readonly number[]): string {
    return this.#inline('float32', shape, new Uint8Array(Float32Array.from(values).buffer));
  }

  #inline(type: ElementType, shape: readonly number[], rawData: Uint8Array): string {
    const hex = Buffer.from(rawData).toString('hex');
    const content = hex.length <= 64 ? hex : createHash('sha256').update(rawData).digest('hex');
    const name = `constant_${type}_${shape.join('x')}_${content}`;
    this.#initializers.set(name, { name, dims: shape, dataType: ELEMENT_TYPE[type], rawData });
    return name;
  }

  /** Bytes of the .onnx file. */
  encode(): Uint8Array {
    return encodeModel({
      irVersion: IR_VERSION,
      producerName: 'calm-serve',
      opsetImport: OPSETS,
      graph: {
        name: this.name,
        node: this.#nodes.map(node => this.#rename(node)),
        initializer: [...this.#initializers.values()],
        input: [...this.#inputs.values()],
        output: [...this.#outputs.values()],
      },
    });
  }
  /** Values that are graph outputs under the names that they have outside, in nested graphs too. */
  #rename(node: NodeProto): NodeProto {
    const rename = (value: string): string => this.#renamed.get(value) ?? value;
    const attribute = node.attribute.map(each =>
      each.g ? { ...each, g: { ...each.g, node: each.g.node.map(inner => this.#rename(inner)) } } : each,
    );
    return { ...node, input: node.input.map(rename), output: node.output.map(rename), attribute };
  }
}
