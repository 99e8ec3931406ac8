/** The bytes of a pickle: arguments of opcodes, and the opcodes that are nothing but a value. */
import { CalmError } from '../errors.js';

/** Stands on the stack where a group of values begins. */
export const MARK = Symbol('mark');
/** Says that an opcode is no literal. */
export const NO_LITERAL = Symbol('no literal');

export class PickleInput {
  readonly #bytes: Buffer;
  readonly #file: string;
  #at = 0;

  /** @param file named in messages */
  constructor(bytes: Buffer, file: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  /** The value that an opcode pushes, where it is one that stands in the pickle itself; else NO_LITERAL. */
  literal(opcode: number): unknown {
    switch (opcode) {
      case 0x28: // MARK
        return MARK;
      case 0x4e: // NONE
        return null;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4a: // BININT
        return this.take(4).readInt32LE();
      case 0x4b: // BININT1
        return this.uint8();
      case 0x4d: // BININT2
        return this.take(2).readUInt16LE();
      case 0x8a: // LONG1
        return longValue(this.take(this.uint8()));
      case 0x8b: // LONG4
        return longValue(this.take(this.uint32()));
      case 0x47: // BINFLOAT
        return this.take(8).readDoubleBE();
      case 0x58: // BINUNICODE
        return this.take(this.uint32()).toString('utf8');
      case 0x8c: // SHORT_BINUNICODE
        return this.take(this.uint8()).toString('utf8');
      case 0x8d: // BINUNICODE8
        return this.take(this.uint64()).toString('utf8');
      case 0x54: // BINSTRING
        return this.take(this.uint32()).toString('latin1');
      case 0x55: // SHORT_BINSTRING
        return this.take(this.uint8()).toString('latin1');
      case 0x42: // BINBYTES
        return this.take(this.uint32());
      case 0x43: // SHORT_BINBYTES
        return this.take(this.uint8());
      case 0x8e: // BINBYTES8
        return this.take(this.uint64());
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
        return [];
      case 0x7d: // EMPTY_DICT
        return new Map();
      default:
        return NO_LITERAL;
    }
  }

  take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw this.#brokenOff();
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  uint8(): number {
    return this.take(1).readUInt8();
  }

  uint32(): number {
    return this.take(4).readUInt32LE();
  }

  uint64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#brokenOff();
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #brokenOff(): CalmError {
    return new CalmError(
      'bad_checkpoint',
      `${this.#file} holds a pickle that breaks off at byte ${this.#bytes.length}; download or write it again.`,
    );
  }
}

/** Two's complement, little endian; a bigint only where a number would lose digits. */
function longValue(bytes: Buffer): number | bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index]!);
  value = BigInt.asIntN(bytes.length * 8, value);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
