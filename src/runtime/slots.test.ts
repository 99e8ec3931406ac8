import { expect, test } from 'vitest';
import { SlotTable } from './slots.js';

test('a lease is given back at the end of its scope', () => {
  const slots = new SlotTable(2);
  {
    using lease = slots.lease(1);
    expect(lease.row).toBe(1);
    expect(slots.leasedCount).toBe(1);
  }
  expect(slots.leasedCount).toBe(0);
});

test('a row has one owner, and must exist', () => {
  const slots = new SlotTable(2);
  slots.lease(0);
  expect(() => slots.lease(0)).toThrow('slot 0 is taken');
  expect(() => slots.lease(2)).toThrow('slot 2 does not exist');
  expect(() => slots.lease(-1)).toThrow('does not exist');
});

test('a moved lease frees its old row and owns the new one', () => {
  const slots = new SlotTable(3);
  const lease = slots.lease(2);
  const other = slots.lease(1);
  expect(() => slots.move(lease, 1)).toThrow('slot 1 is taken');
  slots.move(lease, 0);
  expect(lease.row).toBe(0);
  slots.lease(2);
  lease[Symbol.dispose]();
  other[Symbol.dispose]();
  expect(slots.leasedCount).toBe(1);
});

test('releasing twice throws, also where the row has a new owner', () => {
  const slots = new SlotTable(1);
  const lease = slots.lease(0);
  lease[Symbol.dispose]();
  expect(() => lease[Symbol.dispose]()).toThrow('released twice');
  slots.lease(0);
  expect(() => lease[Symbol.dispose]()).toThrow('released twice');
  expect(() => slots.move(lease, 0)).toThrow('not held');
});

test('a leak is named', () => {
  const slots = new SlotTable(3);
  slots.assertNoLeaks();
  const lease = slots.lease(1);
  expect(() => slots.assertNoLeaks()).toThrow('still leased while nothing runs: 1');
  lease[Symbol.dispose]();
  slots.assertNoLeaks();
});
