import { afterAll, describe, expect, test } from 'vitest';
import { byteEncoding, byteRanks, TEST_PATTERN } from '../../tests/byte-encoding.js';
import { CalmError } from '../errors.js';
import { openEncoding } from './encoding.js';

const encoding = byteEncoding(['he', 'hel', 'lo', 'hello', ' w'], ['<|begin|>', '<|end|>']);
const BEGIN = 261;
const END = 262;
afterAll(() => encoding.close());

const bytes = (text: string) => [...Buffer.from(text)];

describe('encode', () => {
  test('merges by rank', () => {
    expect(encoding.encode('hello')).toEqual([259]);
    expect(encoding.encode('hell')).toEqual([257, 108]);
    expect(encoding.encode('lohe wx')).toEqual([258, 256, 260, 120]);
    expect(encoding.encode('')).toEqual([]);
  });

  test('the text of a special token is ordinary text unless asked for', () => {
    expect(encoding.encode('<|end|>')).toEqual(bytes('<|end|>'));
    expect(encoding.encode('a<|end|>', { allowSpecial: true })).toEqual([97, END]);
    expect(encoding.encode('<|begin|><|en', { allowSpecial: true })).toEqual([BEGIN, ...bytes('<|en')]);
  });

  test('lone surrogates become U+FFFD', () => {
    expect(encoding.encode('a\ud800b')).toEqual(bytes('a\ufffdb'));
    expect(encoding.decode(encoding.encode('\udc00'))).toBe('\ufffd');
  });

  test('every character of the basic plane, and some of each other one, comes back', () => {
    for (let first = 0; first < 0x110000; first += first < 0x10000 ? 0x100 : 0x7f00) {
      const points = Array.from({ length: 0x100 }, (_, index) => first + index);
      const characters = points
        .filter(point => point < 0xd800 || point > 0xdfff)
        .map(point => String.fromCodePoint(point));
      for (const text of [characters.join(''), characters.join(' ')]) {
        expect(encoding.decode(encoding.encode(text))).toBe(text);
      }
    }
  });

  test('runs of any kind, far beyond what tiktoken can do at once, come back whole', () => {
    for (const unit of ['a', 'hello', '漢', '\u{20000}', '1', ' ', '\n', '=', '\u0301.', '🎉']) {
      const text = unit.repeat(20_000);
      expect(encoding.decode(encoding.encode(text)) === text, unit).toBe(true);
    }
  });
});

describe('decode', () => {
  test('special tokens and unknown ids spell nothing, unless special tokens are asked for', () => {
    const ids = [BEGIN, 259, 999_999, -1, 1.5, END];
    expect(encoding.decode(ids)).toBe('hello');
    expect(encoding.decode(ids, { showSpecial: true })).toBe('<|begin|>hello<|end|>');
    expect(encoding.tokenBytes(END)).toHaveLength(0);
    expect(encoding.tokenBytes(999_999)).toHaveLength(0);
    expect(encoding.isSpecial(END)).toBe(true);
    expect(encoding.isSpecial(259)).toBe(false);
  });

  test('bytes that are no UTF-8 become U+FFFD', () => {
    expect([...encoding.decodeBytes([0xf0, 0x9f])]).toEqual([0xf0, 0x9f]);
    expect(encoding.decode([97, 0xff, 98])).toBe('a\ufffdb');
  });

  test('a byte order mark stays', () => {
    expect(encoding.decode(encoding.encode('\ufeffa'))).toBe('\ufeffa');
  });
});

test('sizes', () => {
  expect(encoding.vocabularySize).toBe(263);
  expect(encoding.longestToken).toBe(5);
});

test('a closed encoding still decodes, closes twice and encodes no more', () => {
  const closed = byteEncoding();
  closed.close();
  closed.close();
  expect(closed.decode([97])).toBe('a');
  expect(() => closed.encode('a')).toThrow(CalmError);
});

describe('openEncoding refuses', () => {
  const open = (ranks: Buffer, pattern = TEST_PATTERN, specialTokens = {}) =>
    openEncoding({ ranks, pattern, specialTokens });

  test.each<[string, () => unknown, RegExp]>([
    ['a binary file', () => open(Buffer.from([10, 5, 1, 2])), /line 2 is not "<base64> <rank>"/],
    ['half a line', () => open(Buffer.from('IQ==')), /line 1 is not/],
    ['an id given twice', () => open(Buffer.from('IQ== 0\nIg== 0\n')), /came before in line 2/],
    ['a token given twice', () => open(Buffer.from('IQ== 0\nIQ== 1\n')), /came before in line 2/],
    ['a huge id', () => open(Buffer.from('IQ== 99999999999\n')), /beyond all use/],
    ['a missing byte', () => open(byteRanks().subarray('AA== 0\n'.length)), /no token for the byte 0x00/],
    ['a broken pattern', () => open(byteRanks(), '(\\p{L}'), /split pattern is no regular expression/],
    ['a special id that is taken', () => open(byteRanks(), TEST_PATTERN, { '<|x|>': 7 }), /<\|x\|>.* id 7/],
    ['two special tokens of one id', () => open(byteRanks(), TEST_PATTERN, { a: 300, b: 300 }), /id of a/],
    ['an empty special token', () => open(byteRanks(), TEST_PATTERN, { '': 300 }), /text is empty/],
  ])('%s', (_, run, sentence) => {
    expect(run).toThrow(sentence);
    expect(run).toThrow(CalmError);
  });

  test('a pattern that leaves text out is found when that text comes', () => {
    const partial = open(byteRanks(), '\\p{L}+');
    expect(partial.encode('abc')).toHaveLength(3);
    expect(() => partial.encode('abc def')).toThrow(/matches only 6 of 7 bytes/);
    partial.close();
  });
});
