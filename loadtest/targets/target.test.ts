import { describe, expect, it } from 'vitest';
import { checkNames, parseTarget, valueFor } from './target.js';

describe('parseTarget', () => {
  it.each([
    ['a=http://127.0.0.1:8000#m', { name: 'a', baseUrl: 'http://127.0.0.1:8000', model: 'm' }],
    [
      'my server=https://host/api/v1/#org/m-1',
      { name: 'my server', baseUrl: 'https://host/api', model: 'org/m-1' },
    ],
    ['a=http://[::1]:8000/v1', { name: 'a', baseUrl: 'http://[::1]:8000', model: null }],
    ['a=http://h:1#m%201', { name: 'a', baseUrl: 'http://h:1', model: 'm 1' }],
  ])('reads %s', (text, target) => {
    expect(parseTarget(text)).toEqual(target);
  });

  it.each(['http://127.0.0.1:8000', 'a=127.0.0.1:8000', 'a=ftp://host', '=http://h', 'a=', ''])(
    'refuses %j',
    text => {
      expect(() => parseTarget(text)).toThrow('--target must look like');
    },
  );

  it('refuses passwords, which reports would show', () => {
    expect(() => parseTarget('a=http://user:secret@host')).toThrow('--api-key');
  });
});

it('refuses two targets of one name', () => {
  expect(() => checkNames([{ name: 'a' }, { name: 'a' }])).toThrow('Two targets are named a');
});

it('prefers a value for one target to a value for all', () => {
  const names = ['a', 'b'];
  expect(valueFor('a', ['all', 'a=one'], names)).toBe('one');
  expect(valueFor('b', ['all', 'a=one'], names)).toBe('all');
  expect(valueFor('b', ['a=one'], names)).toBeNull();
  // A key may hold an equals sign itself.
  expect(valueFor('b', ['sk-xyz='], names)).toBe('sk-xyz=');
});
