import { describe, expect, test } from 'vitest';
import { compileStopStrings, type StopAutomaton, StopStrings } from './stop-strings.js';

/** Runs a text in pieces; `shown` has what each piece let out, and the flush last where no stop string came. */
function search(stops: readonly string[] | StopAutomaton, pieces: readonly string[]) {
  const search = new StopStrings(stops);
  const shown: string[] = [];
  for (const piece of pieces) {
    const { text, stop } = search.push(piece);
    shown.push(text);
    if (stop !== null) return { shown, stop };
  }
  shown.push(search.flush());
  return { shown, stop: null };
}

/** By definition: the match that ends first, the longest of several that end there. */
function reference(stops: readonly string[], text: string): { text: string; stop: string | null } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter(stop => stop !== '' && text.slice(0, end).endsWith(stop));
    const longest = ending.sort((a, b) => b.length - a.length)[0];
    if (longest !== undefined) return { text: text.slice(0, end - longest.length), stop: longest };
  }
  return { text, stop: null };
}

describe('StopStrings', () => {
  test('cuts exactly at a match inside a piece', () => {
    expect(search(['STOP'], ['one STOP two'])).toEqual({ shown: ['one '], stop: 'STOP' });
  });

  test('finds a match across pieces and holds back no more than could become one', () => {
    expect(search(['\n\nQ:'], ['A.\n', '\n', 'Q', ': x'])).toEqual({
      shown: ['A.', '', '', ''],
      stop: '\n\nQ:',
    });
    expect(search(['\n\nQ:'], ['A.\n', '\n', 'B'])).toEqual({ shown: ['A.', '', '\n\nB', ''], stop: null });
    expect(search(['aab'], ['aaa', 'ab'])).toEqual({ shown: ['a', 'a'], stop: 'aab' });
  });

  test('lets out what was held back when the text ends', () => {
    expect(search(['END'], ['the EN'])).toEqual({ shown: ['the ', 'EN'], stop: null });
  });

  test('the match that ends first wins, and the longest of those', () => {
    expect(search(['abcd', 'bc'], ['abcd'])).toEqual({ shown: ['a'], stop: 'bc' });
    expect(search(['c', 'bc', 'xbc'], ['abc'])).toEqual({ shown: ['a'], stop: 'bc' });
  });

  test('no stop strings, and empty ones, hold nothing back', () => {
    expect(search([], ['abc'])).toEqual({ shown: ['abc', ''], stop: null });
    expect(search([''], ['abc'])).toEqual({ shown: ['abc', ''], stop: null });
  });

  test('never cuts a character in half', () => {
    expect(search(['\ude00'], ['😀'])).toEqual({ shown: ['😀', ''], stop: null });
    expect(search(['😀!'], ['😁', '😀', '?'])).toEqual({ shown: ['😁', '', '😀?', ''], stop: null });
  });

  test('agrees with the definition on all short texts, however they are cut', () => {
    const stopSets = [
      ['aab', 'ba'],
      ['abab', 'bb'],
      ['a'],
      ['aaaa', 'aba'],
      ['aaba', 'bb'],
      ['abb', 'bbb', 'b'],
    ];
    for (const stops of stopSets) {
      for (let code = 0; code < 1 << 9; code++) {
        const text = Array.from({ length: 9 }, (_, bit) => ((code >> bit) & 1 ? 'a' : 'b')).join('');
        const wanted = reference(stops, text);
        for (const length of [1, 2, 5, 9]) {
          const pieces = text.match(new RegExp(`.{1,${length}}`, 'g'))!;
          const { shown, stop } = search(stops, pieces);
          expect({ text: shown.join(''), stop }, `${text} ${stops.join()} ${length}`).toEqual(wanted);
        }
      }
    }
  });

  test('what is held back is always a beginning of a stop string, and the longest one', () => {
    const stops = ['abcab', 'bcd', 'cabx'];
    const text = 'xabcabyabcaxbcbcabcabx';
    for (let end = 1; end < text.length; end++) {
      const search = new StopStrings(stops);
      const { text: shown, stop } = search.push(text.slice(0, end));
      if (stop !== null) break;
      const held = search.flush();
      const suffixes = Array.from({ length: end }, (_, start) => text.slice(start, end));
      const longest = suffixes.find(suffix => stops.some(candidate => candidate.startsWith(suffix))) ?? '';
      expect(held).toBe(longest);
      expect(shown + held).toBe(text.slice(0, end));
    }
  });

  test('bears 10,000 stop strings that share beginnings, on a text that almost matches all the time', () => {
    const stops = Array.from({ length: 10_000 }, (_, index) => `${'a'.repeat(index % 200)}b${index}`);
    const automaton = compileStopStrings(stops);
    const text = 'a'.repeat(500_000);
    expect(search(automaton, [text, text]).stop).toBeNull();
    expect(search(automaton, [text, 'b', '7!']).stop).toBe(`${'a'.repeat(7)}b7`);
  });

  test('one compiled automaton serves several searches', () => {
    const automaton = compileStopStrings(['xy']);
    const first = new StopStrings(automaton);
    const second = new StopStrings(automaton);
    expect(first.push('x').text).toBe('');
    expect(second.push('y')).toEqual({ text: 'y', stop: null });
    expect(first.push('y')).toEqual({ text: '', stop: 'xy' });
  });
});
