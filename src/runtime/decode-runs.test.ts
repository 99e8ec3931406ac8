import { expect, test } from 'vitest';
import { decodeRuns } from './decode-runs.js';

const runsOf = (rows: string) => decodeRuns([...rows].map(mark => mark === 'x'));

test.each([
  { rows: 'xxxxxx', runs: [{ first: 0, count: 6 }] },
  { rows: '......', runs: [] },
  { rows: '.....x', runs: [{ first: 4, count: 2 }] },
  { rows: '...x x....'.replace(' ', ''), runs: [{ first: 0, count: 8 }] },
  {
    rows: 'x........x',
    runs: [
      { first: 0, count: 4 },
      { first: 8, count: 2 },
    ],
  },
])('$rows is decoded in $runs', ({ rows, runs }) => {
  expect(runsOf(rows)).toEqual(runs);
});
