import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CalmError } from '../errors.js';
import { SafetensorsFile } from './safetensors.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'calm-safetensors-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Writes header and data as they are given, right or wrong. */
function write(header: string, data: Uint8Array = new Uint8Array(0), claimedLength?: bigint): string {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimedLength ?? BigInt(Buffer.byteLength(header)));
  const path = join(dir, 'file.safetensors');
  writeFileSync(path, Buffer.concat([length, Buffer.from(header), data]));
  return path;
}

function message(path: string): string {
  try {
    new SafetensorsFile(path).close();
  } catch (error) {
    expect(error).toBeInstanceOf(CalmError);
    expect((error as CalmError).code).toBe('bad_checkpoint');
    expect((error as CalmError).message).toContain(path);
    return (error as CalmError).message;
  }
  throw new Error('expected the file to be refused');
}

const tensor = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const json = (header: object) => JSON.stringify(header);

describe('values', () => {
  test.each([
    ['F32', Float32Array.of(1, -2.5, 3e38, 0)],
    ['F64', Float64Array.of(1, -2.5, 1e30, 0)],
    ['F16', Uint16Array.of(0x3c00, 0xc100, 0x7bff, 0x0001)],
    ['BF16', Uint16Array.of(0x3f80, 0xc020, 0x7f7f, 0x0001)],
  ])('%s is widened to float32', (dtype, stored) => {
    const wanted: Record<string, number[]> = {
      F32: [1, -2.5, Math.fround(3e38), 0],
      F64: [1, -2.5, Math.fround(1e30), 0],
      F16: [1, -2.5, 65504, 2 ** -24],
      BF16: [1, -2.5, 2 ** 127 * (2 - 2 ** -7), 2 ** -133],
    };
    const file = new SafetensorsFile(
      write(json({ w: tensor(dtype, [2, 2], 0, stored.byteLength) }), bytesOf(stored)),
    );
    expect([...file.read('w')]).toEqual(wanted[dtype]);
    expect([...file.read('w', 1)]).toEqual(wanted[dtype]!.slice(2));
    expect([...file.read('w', 0, 1)]).toEqual(wanted[dtype]!.slice(0, 2));
    expect(file.read('w', 2, 2)).toHaveLength(0);
    file.close();
  });

  test('float16 agrees with its definition on every bit pattern', () => {
    const stored = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
    const file = new SafetensorsFile(write(json({ w: tensor('F16', [65536], 0, 131072) }), bytesOf(stored)));
    const values = file.read('w');
    for (let bits = 0; bits < 65536; bits++) {
      const exponent = (bits >> 10) & 31;
      const fraction = bits & 1023;
      const size =
        exponent === 31
          ? fraction
            ? Number.NaN
            : Number.POSITIVE_INFINITY
          : exponent
            ? Number(`0b1${fraction.toString(2).padStart(10, '0')}`) * 2 ** (exponent - 25)
            : fraction * 2 ** -24;
      expect(Object.is(values[bits], bits >> 15 ? -size : size), String(bits)).toBe(true);
    }
    file.close();
  });

  test('a tensor larger than the staging buffer comes whole', () => {
    const count = 1_500_000;
    const stored = Uint16Array.from({ length: count }, (_, index) => index % 0x7f80);
    const file = new SafetensorsFile(
      write(json({ w: tensor('BF16', [count], 0, 2 * count) }), bytesOf(stored)),
    );
    const bits = new Uint32Array(file.read('w').buffer);
    expect(bits.every((value, index) => value === stored[index]! << 16)).toBe(true);
    file.close();
  });

  test('rows beyond 4 GiB are read without the rest', () => {
    const rows = 1_100_000;
    const rowBytes = 4096;
    const header = json({ w: tensor('F32', [rows, rowBytes / 4], 0, rows * rowBytes) });
    const path = write(header);
    const descriptor = openSync(path, 'r+');
    const end = 8 + header.length + rows * rowBytes;
    ftruncateSync(descriptor, end); // A hole: it takes no space on the disk.
    writeSync(descriptor, bytesOf(Float32Array.of(7)), 0, 4, end - rowBytes);
    closeSync(descriptor);
    const file = new SafetensorsFile(path);
    const values = file.read('w', rows - 2, rows);
    expect(values).toHaveLength(2048);
    expect([values[0], values[1023], values[1024], values[1025]]).toEqual([0, 0, 7, 0]);
    file.close();
  });

  test('scalars, empty tensors, integers and the metadata entry', () => {
    const header = {
      __metadata__: { format: 'pt' },
      scalar: tensor('F32', [], 0, 4),
      empty: tensor('F32', [0, 7], 4, 4),
      ids: tensor('I64', [2], 4, 20),
    };
    const data = Buffer.concat([bytesOf(Float32Array.of(2.5)), bytesOf(BigInt64Array.of(-3n, 128256n))]);
    const file = new SafetensorsFile(write(json(header), data));
    expect(file.names().toSorted()).toEqual(['empty', 'ids', 'scalar']);
    expect(file.info('scalar')).toEqual({ name: 'scalar', shape: [] });
    expect([...file.read('scalar')]).toEqual([2.5]);
    expect(file.read('empty')).toHaveLength(0);
    expect(file.readIntegers('ids')).toEqual([-3, 128256]);
    expect(() => file.read('ids')).toThrow(/ids .* I64/);
    expect(() => file.readIntegers('scalar')).toThrow(/scalar .* F32, not I64/);
    expect(() => file.read('absent')).toThrow('no tensor named absent');
    expect(() => file.read('scalar', 0, 2)).toThrow(/Rows 0 to 2/);
    file.close();
  });
});

describe('a damaged file is refused with a sentence', () => {
  const data = bytesOf(Float32Array.of(1, 2, 3, 4));
  const good = json({ a: tensor('F32', [2], 0, 8), b: tensor('F32', [2], 8, 16) });

  test('at every length that it can be cut to', () => {
    const path = write(good, data);
    const whole = 8 + good.length + data.length;
    new SafetensorsFile(path).close();
    for (let length = 0; length < whole; length++) {
      const lengthField = Buffer.alloc(8);
      lengthField.writeBigUInt64LE(BigInt(good.length));
      const cut = Buffer.concat([lengthField, Buffer.from(good), data]).subarray(0, length);
      writeFileSync(path, cut);
      expect(message(path)).toMatch(/truncated|fewer than/);
    }
  });

  test.each([
    ['a header longer than the file', good, 5000n, /claims a header of 5000 bytes.*truncated/],
    ['a header beyond the limit', good, 2n ** 63n, /more than the format's limit/],
    ['no JSON', '{"a": ', undefined, /not valid JSON/],
    ['no object', '[1]', undefined, /not a JSON object/],
    ['a malformed entry', '{"a": {"dtype": "F32"}}', undefined, /entry for the tensor a is malformed/],
    ['a negative offset', json({ a: tensor('F32', [2], -8, 0) }), undefined, /malformed/],
    ['an unknown type', json({ a: tensor('F31', [2], 0, 8) }), undefined, /unknown element type F31/],
    [
      'a shape that needs more',
      json({ a: tensor('F32', [3], 0, 8) }),
      undefined,
      /shape \[3\] needs 12 bytes/,
    ],
    [
      'a tensor beyond the end',
      json({ a: tensor('F32', [8], 0, 32) }),
      undefined,
      /tensor a should end at byte \d+, but the file has \d+: it is truncated/,
    ],
    [
      'overlapping tensors',
      json({ a: tensor('F32', [2], 0, 8), b: tensor('F32', [2], 4, 12) }),
      undefined,
      /tensors a and b overlap/,
    ],
    [
      'a name given twice',
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      undefined,
      /names the tensor a twice/,
    ],
    ['a Git LFS pointer', 'https://git-lfs', Buffer.from('version ').readBigUInt64LE(), /git lfs pull/],
  ])('%s', (_, header, length, sentence) => {
    expect(message(write(header, data, length))).toMatch(sentence);
  });

  test('a folder, and a file that is not there', () => {
    expect(() => new SafetensorsFile(dir)).toThrow('is not a file');
    expect(() => new SafetensorsFile(join(dir, 'absent'))).toThrow('Cannot open');
  });
});
