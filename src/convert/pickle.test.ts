import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storedZip } from '../../tests/stored-zip.js';
import { CalmError } from '../errors.js';
import { PickleFile } from './pickle.js';

const fixtures = new URL('../../tests/fixtures/pickle/', import.meta.url).pathname;
const fixture = (name: string) => join(fixtures, name);

/** What PyTorch itself says of the tensors, as strings because JSON has no infinities. */
const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as Record<
  string,
  { shape: number[]; values: string[] }
>;
const numberOf = (text: string) =>
  text === 'nan' ? Number.NaN : Number(text.replace(/^(-?)inf$/, '$1Infinity'));

function failure(run: () => unknown): CalmError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(CalmError);
    return error as CalmError;
  }
  throw new Error('expected a CalmError');
}

describe('a file of torch.save', () => {
  test.each([2, 3, 4])('of protocol %i gives the values that PyTorch sees', protocol => {
    const file = new PickleFile(fixture(`protocol-${protocol}.bin`));
    for (const [name, { shape, values }] of Object.entries(expected)) {
      expect(file.info(name), name).toEqual({ name, shape });
      expect([...file.read(name)], name).toEqual(values.map(numberOf));
    }
    expect(file.names()).toEqual([...Object.keys(expected), 'count'].sort(orderOf(file.names())));
    file.close();
  });

  test('gives single rows of contiguous and of strided tensors', () => {
    const file = new PickleFile(fixture('protocol-2.bin'));
    for (const [name, { shape, values }] of Object.entries(expected)) {
      if (shape.length < 2) continue;
      const perRow = values.length / (shape[0] || 1);
      for (let row = 0; row < shape[0]!; row++) {
        const wanted = values.slice(row * perRow, (row + 1) * perRow).map(numberOf);
        expect([...file.read(name, row, row + 1)], `${name} ${row}`).toEqual(wanted);
      }
    }
    file.close();
  });

  test('names integer tensors but refuses to read them as weights', () => {
    const file = new PickleFile(fixture('protocol-2.bin'));
    expect(file.info('count')?.shape).toEqual([1]);
    expect(failure(() => file.read('count')).message).toMatch(/count .* I64/);
    file.close();
  });

  test('says which tensor is missing', () => {
    const file = new PickleFile(fixture('protocol-2.bin'));
    expect(file.info('absent')).toBeUndefined();
    expect(failure(() => file.read('absent')).message).toContain('no tensor named absent');
    file.close();
  });
});

describe('what is no file of tensors', () => {
  test.each([
    ['asks-for-code.bin', /asks for (posix|os)\.system: refused, this reader executes nothing/],
    ['asks-for-code-protocol-4.bin', /asks for (posix|os)\.system: refused/],
    ['before-1.6.bin', /before 1\.6, which is not read here/],
    ['compressed.bin', /data\.pkl is compressed/],
    ['nested.bin', /dictionary \(state_dict\) holds no tensor/],
    ['list.bin', /no dictionary of tensors/],
  ])('%s is refused with a sentence', (name, sentence) => {
    const error = failure(() => new PickleFile(fixture(name)));
    expect(error.code).toBe('bad_checkpoint');
    expect(error.message).toMatch(sentence);
    expect(existsSync('executed.txt')).toBe(false);
  });

  test('a file that is not there', () => {
    expect(failure(() => new PickleFile(fixture('absent.bin'))).message).toContain('Cannot open');
  });
});

describe('archives made by hand', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'calm-pickle-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  const bytes = new Uint8Array(values.buffer);
  const written = (name: string, content: Uint8Array) => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };

  test('zip64 fields are followed', () => {
    const archive = storedZip({ 'm/data.pkl': pickled(), 'm/data/0': bytes }, { zip64: true });
    const file = new PickleFile(written('zip64.bin', archive));
    expect([...file.read('w')]).toEqual([...values]);
    file.close();
  });

  test('every truncation gives a sentence', () => {
    const archive = storedZip({ 'm/data.pkl': pickled(), 'm/data/0': bytes });
    for (let length = 0; length < archive.length; length += 7) {
      const error = failure(() => new PickleFile(written('short.bin', archive.subarray(0, length))));
      expect(error.code).toBe('bad_checkpoint');
    }
  });

  test('a tensor that leaves its storage is refused', () => {
    const archive = storedZip({ 'm/data.pkl': pickled({ offset: 1 }), 'm/data/0': bytes });
    const message = failure(() => new PickleFile(written('outside.bin', archive))).message;
    expect(message).toContain('tensor w of shape [2, 3] ends at byte 28 of a storage of 24');
  });

  test('a storage that is not there is refused', () => {
    const archive = storedZip({ 'm/data.pkl': pickled() });
    expect(failure(() => new PickleFile(written('missing.bin', archive))).message).toContain('storage 0');
  });

  test('a big-endian file is refused', () => {
    const archive = storedZip({
      'm/data.pkl': pickled(),
      'm/byteorder': Buffer.from('big'),
      'm/data/0': bytes,
    });
    expect(failure(() => new PickleFile(written('big.bin', archive))).message).toContain('big-endian');
  });

  test('opcodes that make objects are refused', () => {
    for (const opcode of ['i', 'o', '\x82', '\x92']) {
      const pickle = Buffer.from(`\x80\x02(${opcode}os\nsystem\n.`, 'latin1');
      const file = written('object.bin', storedZip({ 'm/data.pkl': pickle }));
      expect(failure(() => new PickleFile(file)).message).toContain('this reader executes nothing');
    }
  });

  test('every truncation of the pickle itself gives a sentence', () => {
    const pickle = pickled();
    for (let length = 0; length < pickle.length; length++) {
      const archive = storedZip({ 'm/data.pkl': pickle.subarray(0, length), 'm/data/0': bytes });
      expect(failure(() => new PickleFile(written('short.bin', archive))).code).toBe('bad_checkpoint');
    }
  });
});

/** {'w': a float32 tensor of shape [2, 3] over storage 0}, protocol 2. */
function pickled({ offset = 0 } = {}): Buffer {
  const unicode = (text: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    return Buffer.concat([Buffer.from('X'), length, Buffer.from(text)]);
  };
  return Buffer.concat([
    Buffer.from('\x80\x02}(', 'latin1'),
    unicode('w'),
    Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n(('),
    unicode('storage'),
    Buffer.from('ctorch\nFloatStorage\n'),
    unicode('0'),
    unicode('cpu'),
    Buffer.from(`K\x06tQK${String.fromCharCode(offset)}K\x02K\x03\x86K\x03K\x01\x86\x89}tRu.`, 'latin1'),
  ]);
}

/** Compares by place in a list: turns a check of order into a check of membership. */
function orderOf(names: readonly string[]): (a: string, b: string) => number {
  return (a, b) => names.indexOf(a) - names.indexOf(b);
}
