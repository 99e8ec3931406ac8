import { describe, expect, it } from 'vitest';
import { excerpt } from './excerpt.js';

describe('excerpt', () => {
  it('stays short, whatever the value', () => {
    const nested = JSON.parse('['.repeat(5000) + ']'.repeat(5000));
    for (const value of ['x'.repeat(1e6), nested, { a: nested }, 1e308, null, true, undefined]) {
      expect(excerpt(value).length).toBeLessThan(80);
    }
  });
});
