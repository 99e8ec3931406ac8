import { afterAll, describe, expect, test } from 'vitest';
import { byteEncoding } from '../../tests/byte-encoding.js';
import { StreamDecoder } from './stream-decoder.js';

const encoding = byteEncoding([], ['<|end|>']);
afterAll(() => encoding.close());

/** Decodes the bytes in pieces of the given lengths, the last one repeated. */
function decodePieces(bytes: readonly number[], lengths: readonly number[]): string[] {
  const decoder = new StreamDecoder(encoding);
  const texts: string[] = [];
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const length = lengths[Math.min(piece, lengths.length - 1)]!;
    texts.push(decoder.push(bytes.slice(at, at + length)));
    at += length;
  }
  texts.push(decoder.flush());
  return texts;
}

describe('StreamDecoder', () => {
  test('holds a half character until it is whole', () => {
    expect(decodePieces([...Buffer.from('a😀é')], [1])).toEqual(['a', '', '', '', '😀', '', 'é', '']);
  });

  test('gives one U+FFFD where the text ends inside a character', () => {
    expect(decodePieces([97, 0xf0, 0x9f, 0x98], [2])).toEqual(['a', '', '\ufffd']);
    expect(decodePieces([97], [1])).toEqual(['a', '']);
  });

  test('gives U+FFFD at once for bytes that no character can begin with or go on with', () => {
    expect(decodePieces([0xff, 97], [1])).toEqual(['\ufffd', 'a', '']);
    expect(decodePieces([0xe2, 0x28], [1])).toEqual(['', '\ufffd(', '']);
  });

  test('a byte order mark is text, at the start and elsewhere', () => {
    expect(decodePieces([...Buffer.from('\ufeffa\ufeff')], [1]).join('')).toBe('\ufeffa\ufeff');
  });

  test('equals decoding all at once on random bytes and random cuts', () => {
    let state = 12345;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const leads = [0x41, 0xc3, 0xe2, 0xe6, 0xf0, 0xf4, 0xed, 0xff];
    for (let round = 0; round < 3000; round++) {
      const bytes = Array.from({ length: random(12) }, () =>
        random(2) ? leads[random(leads.length)]! : 0x80 + random(64),
      );
      const lengths = Array.from({ length: 12 }, () => 1 + random(3));
      expect(decodePieces(bytes, lengths).join(''), bytes.join()).toBe(encoding.decode(bytes));
    }
  });

  test('special tokens and unknown ids are silent, unless special tokens are asked for', () => {
    const quiet = new StreamDecoder(encoding);
    expect(quiet.push([0xc3, 256, 9999, 0xa9])).toBe('é');
    const loud = new StreamDecoder(encoding, { showSpecial: true });
    expect(loud.push([97, 256])).toBe('a<|end|>');
  });

  test('may be used again after a flush', () => {
    const decoder = new StreamDecoder(encoding);
    decoder.push([0xf0]);
    expect(decoder.flush()).toBe('\ufffd');
    expect(decoder.push([97])).toBe('a');
  });

  test('takes 200,000 tokens one by one', () => {
    const decoder = new StreamDecoder(encoding);
    let length = 0;
    for (let count = 0; count < 200_000; count++) length += decoder.push([97]).length;
    expect(length).toBe(200_000);
  });
});
