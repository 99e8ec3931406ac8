/**
 * The header of a safetensors file: 8 bytes of length (little endian), then that many bytes of JSON with each
 * tensor's type, shape and byte range; the ranges count from the header's end. Everything is checked before a
 * tensor is read. Format: https://github.com/huggingface/safetensors#format
 */
import { z } from 'zod';
import { CalmError } from '../errors.js';
import { type ElementType, elementBytes, isElementType } from './element-type.js';
import type { RandomAccessFile } from './random-access-file.js';

/** One tensor of a safetensors file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** First byte in the file. */
  readonly position: number;
  readonly bytes: number;
}

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

const entrySchema = z.looseObject({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

/** Reads and checks the header. @throws CalmError bad_checkpoint for anything that does not add up. */
export function readSafetensorsHeader(file: RandomAccessFile): Map<string, SafetensorsEntry> {
  const headerBytes = headerLength(file);
  const text = file.read(LENGTH_BYTES, headerBytes).toString('utf8');
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    throw bad(file, `its header is not valid JSON (${(cause as Error).message})`, cause);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw bad(file, 'its header is not a JSON object');
  }
  const twice = firstRepeatedKey(text);
  if (twice !== undefined) throw bad(file, `its header names the tensor ${twice} twice`);

  const dataStart = LENGTH_BYTES + headerBytes;
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') entries.set(name, checkedEntry(file, name, value, dataStart));
  }
  refuseOverlaps(file, [...entries.values()]);
  return entries;
}

function headerLength(file: RandomAccessFile): number {
  if (file.size < LENGTH_BYTES)
    throw bad(file, `it has ${file.size} bytes, fewer than a header's length field`);
  const lengthField = file.read(0, LENGTH_BYTES);
  if (lengthField.toString('latin1') === 'version ') {
    throw new CalmError(
      'bad_checkpoint',
      `${file.path} seems to be a Git LFS pointer instead of the weights: fetch them with "git lfs pull".`,
    );
  }
  const length = lengthField.readBigUInt64LE();
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw bad(
      file,
      `it claims a header of ${length} bytes, more than the format's limit of ${MAX_HEADER_BYTES}`,
    );
  }
  if (LENGTH_BYTES + Number(length) > file.size) {
    throw bad(
      file,
      `it claims a header of ${length} bytes, but the whole file has ${file.size}: it is truncated`,
    );
  }
  return Number(length);
}

function checkedEntry(
  file: RandomAccessFile,
  name: string,
  value: unknown,
  dataStart: number,
): SafetensorsEntry {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw bad(
      file,
      `the header's entry for the tensor ${name} is malformed (${issue.path.join('.')}: ${issue.message})`,
    );
  }
  const { dtype, shape, data_offsets } = parsed.data;
  if (!isElementType(dtype)) throw bad(file, `the tensor ${name} has the unknown element type ${dtype}`);
  const [begin, end] = data_offsets;
  const bytes = shape.reduce((product, size) => product * size, elementBytes[dtype]);
  if (end - begin !== bytes) {
    throw bad(
      file,
      `the tensor ${name} of type ${dtype} and shape [${shape.join(', ')}] needs ${bytes} bytes, ` +
        `but the header gives it bytes ${begin} to ${end}`,
    );
  }
  if (dataStart + end > file.size) {
    throw bad(
      file,
      `the tensor ${name} should end at byte ${dataStart + end}, but the file has ${file.size}: it is truncated`,
    );
  }
  return { name, type: dtype, shape, position: dataStart + begin, bytes };
}

function refuseOverlaps(file: RandomAccessFile, entries: SafetensorsEntry[]): void {
  entries.sort((a, b) => a.position - b.position || a.bytes - b.bytes);
  for (let index = 1; index < entries.length; index++) {
    const before = entries[index - 1]!;
    const entry = entries[index]!;
    if (before.position + before.bytes > entry.position) {
      throw bad(file, `the tensors ${before.name} and ${entry.name} overlap`);
    }
  }
}

/** JSON.parse keeps the last of two equal keys without a word; here that would hide a tensor. */
function firstRepeatedKey(validJson: string): string | undefined {
  const seen = new Set<string>();
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs;
  let depth = 0;
  for (const match of validJson.matchAll(token)) {
    const text = match[0];
    if (text === '{' || text === '[') depth++;
    else if (text === '}' || text === ']') depth--;
    else if (depth === 1 && match[1] !== undefined) {
      const key = JSON.parse(text.slice(0, text.length - match[1].length)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}

function bad(file: RandomAccessFile, what: string, cause?: unknown): CalmError {
  return new CalmError(
    'bad_checkpoint',
    `${file.path} is not a usable safetensors file: ${what}; download or write it again.`,
    cause === undefined ? {} : { cause },
  );
}
