/**
 * The few globals that a PyTorch file of weights names, as descriptions of tensors over storages.
 * Upstream: torch/_utils.py (`_rebuild_tensor_v2`, `_rebuild_parameter`), torch/serialization.py (persistent ids).
 */
import { CalmError } from '../errors.js';
import type { ElementType } from './element-type.js';
import type { PickleGlobal, PickleWorld } from './pickle-machine.js';

/** Bytes of one or several tensors: the archive's entry `data/<key>`. */
export interface StoredStorage {
  readonly kind: 'storage';
  readonly key: string;
  /** null for an untyped storage, whose tensors carry the type. */
  readonly type: ElementType | null;
}

/** A view of a storage; offset and strides count elements. */
export interface StoredTensor {
  readonly kind: 'tensor';
  readonly storage: StoredStorage;
  readonly type: ElementType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

interface ElementTypeGlobal extends PickleGlobal {
  readonly elementType: ElementType | null;
}

const storageClasses: Readonly<Record<string, ElementType | null>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  UntypedStorage: null,
};

const dtypes: Readonly<Record<string, ElementType>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};

/** The whole world of a weights file; `file` is named in messages. */
export function tensorWorld(file: string): PickleWorld {
  const globals = new Map<string, PickleGlobal>();
  const define = (global: PickleGlobal) => void globals.set(global.name, global);
  const bad = (what: string) => new CalmError('bad_checkpoint', `${file} holds ${what}; write it again.`);

  define({ name: 'collections.OrderedDict', call: args => orderedDictionary(args, bad) });
  define({ name: 'torch.Size', call: args => args[0] });
  define({ name: 'torch._utils._rebuild_tensor_v2', call: args => tensor(args, null, bad) });
  define({ name: 'torch._utils._rebuild_tensor_v3', call: args => tensor(args, args[6], bad) });
  define({ name: 'torch._utils._rebuild_parameter', call: args => args[0] });
  for (const [name, elementType] of Object.entries(storageClasses)) {
    for (const module of ['torch', 'torch.storage']) {
      define({ name: `${module}.${name}`, elementType } as ElementTypeGlobal);
    }
  }
  for (const [name, elementType] of Object.entries(dtypes)) {
    define({ name: `torch.${name}`, elementType } as ElementTypeGlobal);
  }
  return {
    global: name => globals.get(name),
    persistent: id => storage(id, bad),
  };
}

type Bad = (what: string) => CalmError;

function orderedDictionary(args: readonly unknown[], bad: Bad): Map<unknown, unknown> {
  const pairs = args[0] ?? [];
  if (!Array.isArray(pairs) || !pairs.every(pair => Array.isArray(pair) && pair.length === 2)) {
    throw bad('a malformed OrderedDict');
  }
  return new Map(pairs as [unknown, unknown][]);
}

/** ('storage', class, key, device, element count) */
function storage(id: unknown, bad: Bad): StoredStorage {
  const [tag, type, key] = Array.isArray(id) ? id : [];
  if (tag !== 'storage' || typeof key !== 'string' || !isElementTypeGlobal(type)) {
    throw bad('a persistent id that is no tensor storage');
  }
  return { kind: 'storage', key, type: type.elementType };
}

/** (storage, offset, shape, strides, requires_grad, hooks[, dtype]) */
function tensor(args: readonly unknown[], dtype: unknown, bad: Bad): StoredTensor {
  const [source, offset, shape, strides] = args;
  const type = isElementTypeGlobal(dtype) ? dtype.elementType : (source as StoredStorage | null)?.type;
  if (
    (source as StoredStorage | null)?.kind !== 'storage' ||
    !isCount(offset) ||
    !isCounts(shape) ||
    !isCounts(strides) ||
    shape.length !== strides.length
  ) {
    throw bad('a malformed tensor');
  }
  if (type == null) throw bad('a tensor without an element type');
  return { kind: 'tensor', storage: source as StoredStorage, type, offset, shape, strides };
}

function isElementTypeGlobal(value: unknown): value is ElementTypeGlobal {
  return typeof value === 'object' && value !== null && 'elementType' in value;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isCount);
}
