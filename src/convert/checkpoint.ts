/** What the graph builder asks of a checkpoint, whatever files it comes from. */

/** Name and size of a stored tensor. Linear weights are [out, in], as PyTorch stores them. */
export interface TensorInfo {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Read access to a checkpoint's tensors, one at a time, so that memory stays small. */
export interface TensorSource {
  /** The tensor's name in the file and its shape, or undefined where the file has no such name. */
  info(name: string): TensorInfo | undefined;
  /** All names, for messages. */
  names(): readonly string[];
  /** The values of rows `from`..`to` (exclusive; all rows by default) of the first axis, widened to float32. */
  read(name: string, from?: number, to?: number): Float32Array;
  /** Closes the files behind it. */
  close(): void;
}
