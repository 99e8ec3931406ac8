/** Tensors tied to the inputs and outputs of a session, and the run itself. */
import type { Status } from './api-table.js';
import { Handle } from './handle.js';
import type { Tensor } from './memory.js';
import type { Session } from './session.js';

/**
 * Owner of an OrtIoBinding. Tensors stay bound from run to run, so a run costs one native call. ONNX Runtime reads
 * and writes their memory in place; they must outlive the binding.
 */
export class Binding extends Handle {
  readonly #session: Session;
  readonly #hostInputs = new Map<string, Tensor>();
  readonly #running: string;
  #hasRun = false;

  constructor(session: Session) {
    const { api } = session.library;
    super(
      'binding',
      session.library.make('create a binding', out => api.CreateIoBinding(session.pointer, out)),
      handle => api.ReleaseIoBinding(handle),
    );
    this.#session = session;
    this.#running = `run the graph ${session.file}`;
  }

  /** Ties an input to a tensor on the session's device. */
  bindInput(name: string, tensor: Tensor): void {
    const { library } = this.#session;
    library.check(library.api.BindInput(this.pointer, name, tensor.pointer), `bind the input ${name}`);
  }

  /**
   * Ties an input to a tensor in CPU memory whose elements change between runs. On another device ONNX Runtime copies
   * an input when it is bound, not when the graph runs, so there such inputs are bound again before every run.
   */
  bindHostInput(name: string, tensor: Tensor): void {
    if (this.#session.device === 'cpu') this.bindInput(name, tensor);
    else this.#hostInputs.set(name, tensor);
  }

  /** Ties an output to a tensor, on the device or in CPU memory. An output that is not bound is not given out. */
  bindOutput(name: string, tensor: Tensor): void {
    const { library } = this.#session;
    library.check(library.api.BindOutput(this.pointer, name, tensor.pointer), `bind the output ${name}`);
  }

  /**
   * Runs the graph on a worker thread; the event loop stays free. Runs of one binding must not overlap. Rejects with
   * CalmError 'native'.
   */
  run(): Promise<void> {
    const { library, pointer } = this.#session;
    // A new binding stands for a new shape; the scratch memory of the shapes before it is of no use to it.
    const options = this.#hasRun ? null : this.#session.shrinkingRun.pointer;
    this.#hasRun = true;
    for (const [name, tensor] of this.#hostInputs) this.bindInput(name, tensor);
    return new Promise((resolve, reject) => {
      library.api.RunWithBinding.async(pointer, options, this.pointer, (error: unknown, status: Status) => {
        try {
          if (error) throw error;
          library.check(status, this.#running);
          resolve();
        } catch (reason) {
          reject(reason);
        }
      });
    });
  }
}
