/**
 * Copying tensors that JavaScript cannot reach. ONNX Runtime's C API has no copy within a device for the providers that
 * are built in (CopyTensors serves plugins only), so the copy is a graph of one Identity node that runs there.
 */
import { Binding } from './binding.js';
import { type ElementType, elementTypeInfo } from './element-type.js';
import type { OrtEnvironment } from './environment.js';
import { type Closable, HandleStack } from './handle.js';
import type { Device, Tensor } from './memory.js';
import { Session } from './session.js';

/** Owns the copying graph for one element type on one device. */
export class TensorCopy implements Closable {
  readonly #binding: Binding;
  readonly #owned = new HandleStack();

  constructor(environment: OrtEnvironment, elementType: ElementType, device: Device) {
    const source = {
      file: 'that copies',
      model: identityModel(elementType),
      initializers: [],
      weights: null,
    };
    const session = this.#owned.own(Session.open(environment, source, device));
    this.#binding = this.#owned.own(new Binding(session));
  }

  /** Copies each source onto the target of the same index and shape; one native call a pair. */
  async copy(sources: readonly Tensor[], targets: readonly Tensor[]): Promise<void> {
    for (const [index, source] of sources.entries()) {
      this.#binding.bindInput('x', source);
      this.#binding.bindOutput('y', targets[index] as Tensor);
      await this.#binding.run();
    }
  }

  close(): void {
    this.#owned.close();
  }
}

/** The ONNX model y = Identity(x), for tensors of any shape; field numbers are those of onnx.proto. */
function identityModel(elementType: ElementType): Uint8Array {
  const operatorSet = 17;
  const value = (name: string) =>
    message(text(1, name), bytes(2, bytes(1, integer(1, elementTypeInfo(elementType).code))));
  const node = message(text(1, 'x'), text(2, 'y'), text(4, 'Identity'));
  const graph = message(bytes(1, node), text(2, 'copy'), bytes(11, value('x')), bytes(12, value('y')));
  return Uint8Array.from(message(integer(1, 8), bytes(7, graph), bytes(8, integer(2, operatorSet))));
}

/** Protobuf for messages and numbers below 128, which is all that this model needs. */
function message(...fields: readonly number[][]): number[] {
  return fields.flat();
}

function integer(field: number, value: number): number[] {
  return [field << 3, value];
}

function bytes(field: number, content: readonly number[]): number[] {
  return [(field << 3) | 2, content.length, ...content];
}

function text(field: number, content: string): number[] {
  return bytes(field, [...new TextEncoder().encode(content)]);
}
