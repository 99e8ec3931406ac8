/** The options of every command that runs a model: where it runs, and how much of the machine it takes. */
import { type Command, Option } from 'commander';
import { byteSize, wholeNumber } from './option-values.js';

/** Values of the options that `addModelOptions` adds. What is undefined is left to the runtime. */
export interface ModelOptions {
  readonly device: 'auto' | 'cpu' | 'cuda';
  readonly ortLibrary?: string;
  readonly threads?: number;
  readonly maxNumSeqs?: number;
  readonly maxModelLen?: number;
  readonly kvCacheMemory?: number;
}

/** Adds the options to a command. */
export function addModelOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--device <device>',
        'where the model runs; auto takes CUDA where it is usable, else the CPU',
      )
        .choices(['auto', 'cpu', 'cuda'])
        .default('auto'),
    )
    .addOption(
      new Option(
        '--ort-library <file>',
        'another ONNX Runtime library (libonnxruntime.so), such as a CUDA build',
      ).env('CALM_ORT_LIBRARY'),
    )
    .option(
      '--threads <count>',
      'threads of the native library (default: one for each core)',
      wholeNumber(1, 1024),
    )
    .option(
      '--max-num-seqs <count>',
      'texts generated at the same time: slots of the cache',
      wholeNumber(1, 4096),
    )
    .option('--max-model-len <tokens>', 'tokens of prompt and completion together', wholeNumber(1))
    .option('--kv-cache-memory <size>', 'memory that the cache may take, such as 2GiB', byteSize);
}
