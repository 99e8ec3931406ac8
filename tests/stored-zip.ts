/** Writes small zip archives of stored entries, for tests of readers. */

export interface ZipOptions {
  /** Puts all sizes and positions into zip64 fields, as torch.save does above 4 GiB. */
  readonly zip64?: boolean;
}

/** The bytes of an archive; check sums are 0, which no reader of ours looks at. */
export function storedZip(
  files: Readonly<Record<string, Uint8Array>>,
  { zip64 = false }: ZipOptions = {},
): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const [name, content] of Object.entries(files)) {
    const nameBytes = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(nameBytes.length, 26);
    // Torch pads the local header's extra field only; the directory's stays without it.
    const padding = Buffer.alloc(20);
    padding.write('FB');
    padding.writeUInt16LE(16, 2);
    local.writeUInt16LE(padding.length, 28);
    parts.push(local, nameBytes, padding, Buffer.from(content));
    directory.push(directoryEntry(nameBytes, content.length, position, zip64));
    position += 30 + nameBytes.length + padding.length + content.length;
  }
  const bytes = directory.reduce((sum, entry) => sum + entry.length, 0);
  return Buffer.concat([...parts, ...directory, endRecords(directory.length, bytes, position, zip64)]);
}

function directoryEntry(name: Buffer, bytes: number, position: number, zip64: boolean): Buffer {
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(name.length, 28);
  if (!zip64) {
    entry.writeUInt32LE(bytes, 20);
    entry.writeUInt32LE(bytes, 24);
    entry.writeUInt32LE(position, 42);
    return Buffer.concat([entry, name]);
  }
  for (const at of [20, 24, 42]) entry.writeUInt32LE(0xffffffff, at);
  const extra = Buffer.alloc(4 + 24);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  for (const [index, value] of [bytes, bytes, position].entries()) {
    extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  }
  entry.writeUInt16LE(extra.length, 30);
  return Buffer.concat([entry, name, extra]);
}

function endRecords(count: number, bytes: number, position: number, zip64: boolean): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  if (!zip64) {
    end.writeUInt16LE(count, 8);
    end.writeUInt16LE(count, 10);
    end.writeUInt32LE(bytes, 12);
    end.writeUInt32LE(position, 16);
    return end;
  }
  end.fill(0xff, 8, 20);
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(bytes), 40);
  record.writeBigUInt64LE(BigInt(position), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(position + bytes), 8);
  return Buffer.concat([record, locator, end]);
}
