/** koffi, set up for this project. Its settings hold for the process and are closed by the first library it loads. */
import koffi from 'koffi';

/**
 * Stack of the worker threads that native calls run on. koffi's own default, 128 KiB, is too small for a matrix
 * product's local buffers; the memory is reserved, and resident only where it is used.
 */
const ASYNC_STACK_BYTES = 2 << 20;

if (koffi.config().async_stack_size !== ASYNC_STACK_BYTES)
  koffi.config({ async_stack_size: ASYNC_STACK_BYTES });

export type { LibraryHandle } from 'koffi';
export default koffi;
