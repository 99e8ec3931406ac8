/**
 * The part of ONNX Runtime's C API that this project calls. OrtApi is a table of function pointers that only ever
 * grows at its end, so an entry's position is the same in every version (onnxruntime_c_api.h, struct OrtApi).
 */
import type { TypeObject } from 'koffi';
import type { Pointer } from './handle.js';
import koffi, { type LibraryHandle } from './koffi.js';

/**
 * The version of OrtApi that is asked for; a library answers for its own version and all older ones. The table below
 * needs version 12 only, but the packages' 8-bit matrices need the kernels of 1.22.
 */
export const API_VERSION = 22;

/** The first release of ONNX Runtime that knows API_VERSION. */
export const OLDEST_RELEASE = '1.22';

/** Null means success; anything else must be released. */
export type Status = Pointer | null;
/** A one-element array that native code writes a handle into. */
export type Out = [Pointer | null];

/** One entry: where it stands in the table, its C signature, and (for the compiler only) its TypeScript one. */
interface Entry<Signature> {
  readonly position: number;
  readonly type: TypeObject;
  readonly signature?: Signature;
}

const pointer = 'void *';
const out = koffi.out(koffi.pointer('void *'));
const pointers = koffi.pointer('void *');
const strings = koffi.pointer('str');

type CArgument = Parameters<typeof koffi.out>[0] | ReturnType<typeof koffi.out>;

/** An entry that returns OrtStatus*. */
function status<Args extends unknown[]>(
  position: number,
  ...args: CArgument[]
): Entry<(...args: Args) => Status> {
  return { position, type: koffi.proto(pointer, args) };
}

/** An entry that releases a handle. */
function release(position: number): Entry<(handle: Pointer) => void> {
  return { position, type: koffi.proto('void', [pointer]) };
}

const entries = {
  GetErrorMessage: { position: 2, type: koffi.proto('str', [pointer]) } as Entry<(status: Pointer) => string>,
  ReleaseStatus: release(93),

  CreateEnvWithGlobalThreadPools: status<[number, string, Pointer, Out]>(119, 'int', 'str', pointer, out),
  ReleaseEnv: release(92),
  CreateThreadingOptions: status<[Out]>(121, out),
  ReleaseThreadingOptions: release(122),
  SetGlobalIntraOpNumThreads: status<[Pointer, number]>(147, pointer, 'int'),
  SetGlobalInterOpNumThreads: status<[Pointer, number]>(148, pointer, 'int'),
  SetGlobalSpinControl: status<[Pointer, number]>(149, pointer, 'int'),

  CreateSessionOptions: status<[Out]>(10, out),
  ReleaseSessionOptions: release(100),
  SetSessionGraphOptimizationLevel: status<[Pointer, number]>(23, pointer, 'int'),
  DisableMemPattern: status<[Pointer]>(17, pointer),
  DisablePerSessionThreads: status<[Pointer]>(120, pointer),
  EnableProfiling: status<[Pointer, string]>(14, pointer, process.platform === 'win32' ? 'str16' : 'str'),
  SetIntraOpNumThreads: status<[Pointer, number]>(24, pointer, 'int'),
  AddSessionConfigEntry: status<[Pointer, string, string]>(130, pointer, 'str', 'str'),
  AddInitializer: status<[Pointer, string, Pointer]>(150, pointer, 'str', pointer),
  AddExternalInitializers: status<[Pointer, string[], Pointer[], number]>(
    210,
    pointer,
    strings,
    pointers,
    'size_t',
  ),
  CreatePrepackedWeightsContainer: status<[Out]>(166, out),
  ReleasePrepackedWeightsContainer: release(167),
  CreateSessionFromArrayWithPrepackedWeightsContainer: status<
    [Pointer, Uint8Array, number, Pointer, Pointer | null, Out]
  >(169, pointer, pointer, 'size_t', pointer, pointer, out),
  ReleaseSession: release(95),

  SessionGetInputCount: status<[Pointer, BigUint64Array]>(30, pointer, pointer),
  SessionGetOutputCount: status<[Pointer, BigUint64Array]>(31, pointer, pointer),
  SessionGetInputName: status<[Pointer, number, Pointer, Out]>(36, pointer, 'size_t', pointer, out),
  SessionGetOutputName: status<[Pointer, number, Pointer, Out]>(37, pointer, 'size_t', pointer, out),
  SessionGetInputTypeInfo: status<[Pointer, number, Out]>(33, pointer, 'size_t', out),
  SessionGetOutputTypeInfo: status<[Pointer, number, Out]>(34, pointer, 'size_t', out),
  CastTypeInfoToTensorInfo: status<[Pointer, Out]>(55, pointer, out),
  ReleaseTypeInfo: release(98),
  GetTensorElementType: status<[Pointer, Int32Array]>(60, pointer, pointer),
  GetDimensionsCount: status<[Pointer, BigUint64Array]>(61, pointer, pointer),
  GetDimensions: status<[Pointer, BigInt64Array, number]>(62, pointer, pointer, 'size_t'),
  ReleaseTensorTypeAndShapeInfo: release(99),

  CreateMemoryInfo: status<[string, number, number, number, Out]>(68, 'str', 'int', 'int', 'int', out),
  ReleaseMemoryInfo: release(94),
  GetAllocatorWithDefaultOptions: status<[Out]>(78, out),
  CreateAllocator: status<[Pointer, Pointer, Out]>(131, pointer, pointer, out),
  ReleaseAllocator: release(132),
  AllocatorAlloc: status<[Pointer, number, Out]>(75, pointer, 'size_t', out),
  AllocatorFree: status<[Pointer, Pointer]>(76, pointer, pointer),

  CreateTensorWithDataAsOrtValue: status<[Pointer, Pointer, number, BigInt64Array, number, number, Out]>(
    49,
    pointer,
    pointer,
    'size_t',
    pointer,
    'size_t',
    'int',
    out,
  ),
  ReleaseValue: release(96),
  GetTensorMutableData: status<[Pointer, Out]>(51, pointer, out),
  GetTensorTypeAndShape: status<[Pointer, Out]>(65, pointer, out),

  SessionEndProfiling: status<[Pointer, Pointer, Out]>(110, pointer, pointer, out),

  CreateIoBinding: status<[Pointer, Out]>(134, pointer, out),
  ReleaseIoBinding: release(135),
  BindInput: status<[Pointer, string, Pointer]>(136, pointer, 'str', pointer),
  BindOutput: status<[Pointer, string, Pointer]>(137, pointer, 'str', pointer),
  RunWithBinding: status<[Pointer, Pointer | null, Pointer]>(133, pointer, pointer, pointer),
  CreateRunOptions: status<[Out]>(39, out),
  AddRunConfigEntry: status<[Pointer, string, string]>(165, pointer, 'str', 'str'),
  ReleaseRunOptions: release(97),

  CreateCUDAProviderOptions: status<[Out]>(205, out),
  UpdateCUDAProviderOptions: status<[Pointer, string[], string[], number]>(
    206,
    pointer,
    strings,
    strings,
    'size_t',
  ),
  ReleaseCUDAProviderOptions: release(208),
  SessionOptionsAppendExecutionProvider_CUDA_V2: status<[Pointer, Pointer]>(204, pointer, pointer),
};

type SignatureOf<E> = E extends Entry<infer Signature> ? Signature : never;

/** A native function, with koffi's way of calling it on a worker thread. */
export type NativeFunction<Signature> = Signature extends (...args: infer Args) => infer Result
  ? Signature & { async(...args: [...Args, (error: unknown, result: Result) => void]): void }
  : never;

/** The functions of one loaded library. */
export type OrtApi = {
  readonly [Name in keyof typeof entries]: NativeFunction<SignatureOf<(typeof entries)[Name]>>;
} & {
  /** Held because koffi unloads a library whose handle is collected, though functions in it are still in use. */
  readonly library: LibraryHandle;
};

/** Reads the functions out of an OrtApi table. */
export function readApiTable(library: LibraryHandle, table: Pointer): OrtApi {
  const length = Math.max(...Object.values(entries).map(entry => entry.position)) + 1;
  const addresses = koffi.decode(table, pointer, length) as Pointer[];
  const functions = Object.entries(entries).map(([name, entry]) => [
    name,
    koffi.decode(addresses[entry.position], entry.type),
  ]);
  return { ...Object.fromEntries(functions), library } as unknown as OrtApi;
}
