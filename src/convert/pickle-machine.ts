/**
 * A pickle machine that executes nothing. It understands the opcodes of protocols 2 to 4 that describe data; what
 * a global means is decided by a fixed table of the caller, and whatever is not in that table is refused.
 * Opcodes: CPython's Lib/pickletools.py.
 */
import { CalmError } from '../errors.js';
import { MARK, NO_LITERAL, PickleInput } from './pickle-input.js';

/** A class or function that a pickle names. `call` is our own code; nothing of the pickle's runs. */
export interface PickleGlobal {
  readonly name: string;
  readonly call?: (args: readonly unknown[]) => unknown;
}

/** What the machine knows of the world. */
export interface PickleWorld {
  /** Meaning of a global; undefined refuses it. */
  global(name: string): PickleGlobal | undefined;
  /** Meaning of a persistent id: a tensor storage. */
  persistent(id: unknown): unknown;
}

const STOP = 0x2e;

/**
 * Runs a pickle. Lists and tuples become arrays, dictionaries Maps, bytes Uint8Arrays, None null.
 * @param file named in messages.
 * @throws CalmError bad_checkpoint for a global that is not known, an opcode that makes objects, or a broken pickle.
 */
export function unpickle(bytes: Buffer, world: PickleWorld, file: string): unknown {
  return new PickleMachine(bytes, world, file).run();
}

class PickleMachine {
  readonly #input: PickleInput;
  readonly #world: PickleWorld;
  readonly #file: string;
  readonly #memo = new Map<number, unknown>();
  readonly #stack: unknown[] = [];

  constructor(bytes: Buffer, world: PickleWorld, file: string) {
    this.#input = new PickleInput(bytes, file);
    this.#world = world;
    this.#file = file;
  }

  run(): unknown {
    for (;;) {
      const opcode = this.#input.uint8();
      if (opcode === STOP) return this.#pop();
      this.#execute(opcode);
    }
  }

  #execute(opcode: number): void {
    const literal = this.#input.literal(opcode);
    if (literal !== NO_LITERAL) this.#stack.push(literal);
    else if (!this.#compose(opcode) && !this.#name(opcode)) {
      throw this.#bad(
        `uses the opcode 0x${opcode.toString(16)} at byte ${this.#input.position - 1}, which no file of tensors needs: ` +
          'refused, this reader executes nothing',
      );
    }
  }

  /** Opcodes that rearrange the stack or put its values together; false for any other opcode. */
  #compose(opcode: number): boolean {
    switch (opcode) {
      case 0x30: // POP
        this.#stack.pop();
        return true;
      case 0x31: // POP_MARK
        this.#popToMark();
        return true;
      case 0x32: // DUP
        this.#stack.push(this.#top());
        return true;
      case 0x6c: // LIST
      case 0x74: // TUPLE
        this.#stack.push(this.#popToMark());
        return true;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        this.#stack.push(this.#popMany(opcode - 0x84));
        return true;
      case 0x61: // APPEND
        this.#append(this.#popMany(1));
        return true;
      case 0x65: // APPENDS
        this.#append(this.#popToMark());
        return true;
      case 0x64: // DICT
        this.#makeDictionary(this.#popToMark());
        return true;
      case 0x73: // SETITEM
        this.#setItems(this.#popMany(2));
        return true;
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark());
        return true;
      default:
        return false;
    }
  }

  /** Opcodes of the memo, of globals and of calls; false for any other opcode. */
  #name(opcode: number): boolean {
    switch (opcode) {
      case 0x80: // PROTO
        this.#checkProtocol(this.#input.uint8());
        return true;
      case 0x95: // FRAME
        this.#input.take(8);
        return true;
      case 0x71: // BINPUT
        this.#memo.set(this.#input.uint8(), this.#top());
        return true;
      case 0x72: // LONG_BINPUT
        this.#memo.set(this.#input.uint32(), this.#top());
        return true;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        return true;
      case 0x68: // BINGET
        this.#stack.push(this.#remembered(this.#input.uint8()));
        return true;
      case 0x6a: // LONG_BINGET
        this.#stack.push(this.#remembered(this.#input.uint32()));
        return true;
      case 0x63: // GLOBAL
        this.#stack.push(this.#global(this.#input.line(), this.#input.line()));
        return true;
      case 0x93: // STACK_GLOBAL
        this.#stackGlobal();
        return true;
      case 0x51: // BINPERSID
        this.#stack.push(this.#world.persistent(this.#pop()));
        return true;
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        this.#reduce();
        return true;
      case 0x62: // BUILD
        this.#build();
        return true;
      default:
        return false;
    }
  }

  #checkProtocol(version: number): void {
    if (version < 2 || version > 5) throw this.#bad(`has the pickle protocol ${version}; 2 to 5 are read`);
  }

  #global(module: unknown, name: unknown): PickleGlobal {
    const found = this.#world.global(`${module}.${name}`);
    if (found === undefined) {
      throw this.#bad(
        `asks for ${module}.${name}: refused, this reader executes nothing and knows tensors only`,
      );
    }
    return found;
  }

  #stackGlobal(): void {
    const [module, name] = this.#popMany(2);
    this.#stack.push(this.#global(module, name));
  }

  #reduce(): void {
    const [callee, args] = this.#popMany(2);
    const call = (callee as PickleGlobal | null)?.call;
    if (typeof call !== 'function' || !Array.isArray(args)) {
      const name = (callee as PickleGlobal | null)?.name ?? typeof callee;
      throw this.#bad(`calls ${name}: refused, this reader executes nothing`);
    }
    this.#stack.push(call(args));
  }

  /** The only state that a file of tensors sets is the `_metadata` attribute of its dictionary; it is left out. */
  #build(): void {
    this.#pop();
    if (!(this.#top() instanceof Map)) throw this.#bad('sets the state of an object: refused');
  }

  #append(values: readonly unknown[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#bad('appends to something that is no list');
    for (const value of values) list.push(value);
  }

  #makeDictionary(items: readonly unknown[]): void {
    this.#stack.push(new Map());
    this.#setItems(items);
  }

  #setItems(items: readonly unknown[]): void {
    const dictionary = this.#top();
    if (!(dictionary instanceof Map)) throw this.#bad('sets items of something that is no dictionary');
    if (items.length % 2 !== 0) throw this.#bad('has a dictionary key without a value');
    for (let index = 0; index < items.length; index += 2) dictionary.set(items[index], items[index + 1]);
  }

  #remembered(key: number): unknown {
    if (!this.#memo.has(key)) throw this.#bad(`refers to memo ${key}, which it never set`);
    return this.#memo.get(key);
  }

  #top(): unknown {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw this.#bad('is broken: its stack runs empty');
    return value;
  }

  #pop(): unknown {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popMany(count: number): unknown[] {
    const values = new Array<unknown>(count);
    for (let index = count - 1; index >= 0; index--) values[index] = this.#pop();
    return values;
  }

  #popToMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.#bad('is broken: it closes a group that it never opened');
    const values = this.#stack.splice(mark + 1);
    this.#stack.pop();
    return values;
  }

  #bad(what: string): CalmError {
    return new CalmError('bad_checkpoint', `${this.#file} holds a pickle that ${what}.`);
  }
}
