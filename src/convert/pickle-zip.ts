/**
 * The directory of a zip archive as torch.save writes it: stored (never compressed) entries, with the zip64
 * fields that files above 4 GiB need. Only positions are read here, no contents.
 * Format: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 to 4.3.16 (directory, end records).
 */
import { CalmError } from '../errors.js';
import type { RandomAccessFile } from './random-access-file.js';

/** Where an entry's bytes lie in the archive. */
export interface ZipEntry {
  readonly name: string;
  readonly position: number;
  readonly bytes: number;
}

const LOCAL_HEADER = 0x04034b50;
const DIRECTORY_ENTRY = 0x02014b50;
const END_RECORD = 0x06054b50;
const ZIP64_END_RECORD = 0x06064b50;
const ZIP64_LOCATOR = 0x07064b50;
const ZIP64_EXTRA = 0x0001;
const UNKNOWN_32 = 0xffffffff;
const UNKNOWN_16 = 0xffff;
const LOCAL_HEADER_BYTES = 30;
const DIRECTORY_ENTRY_BYTES = 46;
const END_RECORD_BYTES = 22;
const ZIP64_END_RECORD_BYTES = 56;
const ZIP64_LOCATOR_BYTES = 20;
const MAX_COMMENT_BYTES = 0xffff;
const MAX_DIRECTORY_BYTES = 1 << 28;

/** Reads all entries of an archive by name. @throws CalmError bad_checkpoint where the archive is damaged. */
export function readZipDirectory(file: RandomAccessFile): Map<string, ZipEntry> {
  const { position, bytes, count } = findDirectory(file);
  if (bytes > MAX_DIRECTORY_BYTES || position + bytes > file.size) {
    throw bad(file, `its directory claims bytes ${position} to ${position + bytes} of ${file.size}`);
  }
  const directory = file.read(position, bytes);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + DIRECTORY_ENTRY_BYTES > bytes || directory.readUInt32LE(at) !== DIRECTORY_ENTRY) {
      throw bad(file, `its directory breaks off at entry ${index} of ${count}`);
    }
    const nameBytes = directory.readUInt16LE(at + 28);
    const extraBytes = directory.readUInt16LE(at + 30);
    const end = at + DIRECTORY_ENTRY_BYTES + nameBytes + extraBytes + directory.readUInt16LE(at + 32);
    if (end > bytes) throw bad(file, `its directory breaks off at entry ${index} of ${count}`);
    const entry = readEntry(file, directory.subarray(at, end), nameBytes, extraBytes);
    if (entries.has(entry.name)) throw bad(file, `it holds the entry ${entry.name} twice`);
    entries.set(entry.name, entry);
    at = end;
  }
  return entries;
}

function findDirectory(file: RandomAccessFile): { position: number; bytes: number; count: number } {
  const tailBytes = Math.min(file.size, END_RECORD_BYTES + MAX_COMMENT_BYTES);
  const tailStart = file.size - tailBytes;
  const tail = file.read(tailStart, tailBytes);
  let at = tailBytes - END_RECORD_BYTES;
  while (at >= 0 && tail.readUInt32LE(at) !== END_RECORD) at--;
  if (at < 0) throw bad(file, 'it has no end record; the file is truncated');
  const plain = {
    count: tail.readUInt16LE(at + 10),
    bytes: tail.readUInt32LE(at + 12),
    position: tail.readUInt32LE(at + 16),
  };
  const locatorAt = tailStart + at - ZIP64_LOCATOR_BYTES;
  const needsZip64 =
    plain.count === UNKNOWN_16 || plain.bytes === UNKNOWN_32 || plain.position === UNKNOWN_32;
  if (!needsZip64 || locatorAt < 0) return plain;

  const locator = file.read(locatorAt, ZIP64_LOCATOR_BYTES);
  if (locator.readUInt32LE(0) !== ZIP64_LOCATOR) return plain;
  const recordAt = Number(locator.readBigUInt64LE(8));
  if (recordAt + ZIP64_END_RECORD_BYTES > file.size)
    throw bad(file, 'its zip64 end record lies outside the file');
  const record = file.read(recordAt, ZIP64_END_RECORD_BYTES);
  if (record.readUInt32LE(0) !== ZIP64_END_RECORD) throw bad(file, 'its zip64 end record is damaged');
  return {
    count: Number(record.readBigUInt64LE(32)),
    bytes: Number(record.readBigUInt64LE(40)),
    position: Number(record.readBigUInt64LE(48)),
  };
}

function readEntry(file: RandomAccessFile, record: Buffer, nameBytes: number, extraBytes: number): ZipEntry {
  const nameEnd = DIRECTORY_ENTRY_BYTES + nameBytes;
  const name = record.toString('utf8', DIRECTORY_ENTRY_BYTES, nameEnd);
  const method = record.readUInt16LE(10);
  if (method !== 0) {
    throw bad(file, `its entry ${name} is compressed (method ${method}), which torch.save never does`);
  }
  const sizes = entrySizes(record, record.subarray(nameEnd, nameEnd + extraBytes));
  if (sizes === undefined) throw bad(file, `its entry ${name} lacks the zip64 sizes that it refers to`);
  const { headerAt, bytes } = sizes;
  if (headerAt + LOCAL_HEADER_BYTES > file.size) throw bad(file, `its entry ${name} lies outside the file`);
  // The local header's extra field is torch's padding to 64 bytes and differs from the directory's.
  const local = file.read(headerAt, LOCAL_HEADER_BYTES);
  if (local.readUInt32LE(0) !== LOCAL_HEADER)
    throw bad(file, `its entry ${name} has no header where it should`);
  const position = headerAt + LOCAL_HEADER_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (position + bytes > file.size) {
    throw bad(
      file,
      `its entry ${name} should end at byte ${position + bytes}, but the file has ${file.size}`,
    );
  }
  return { name, position, bytes };
}

/** The 32-bit fields of a directory entry, or the 64-bit ones of its extra field, in the order of 4.5.3. */
function entrySizes(record: Buffer, extra: Buffer): { headerAt: number; bytes: number } | undefined {
  const zip64 = findExtra(extra, ZIP64_EXTRA);
  let at = 0;
  const field = (offset: number): number | undefined => {
    const value = record.readUInt32LE(offset);
    if (value !== UNKNOWN_32) return value;
    if (zip64 === undefined || at + 8 > zip64.length) return undefined;
    at += 8;
    return Number(zip64.readBigUInt64LE(at - 8));
  };
  const uncompressed = field(24);
  const bytes = field(20);
  const headerAt = field(42);
  if (uncompressed === undefined || bytes === undefined || headerAt === undefined) return undefined;
  return { headerAt, bytes };
}

function findExtra(extra: Buffer, wanted: number): Buffer | undefined {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === wanted) return extra.subarray(at + 4, end);
    at = end;
  }
  return undefined;
}

function bad(file: RandomAccessFile, what: string): CalmError {
  return new CalmError(
    'bad_checkpoint',
    `${file.path} is not a usable zip archive of torch.save: ${what}; download or write it again.`,
  );
}
