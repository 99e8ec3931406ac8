import { expect, test } from 'vitest';
import { CandidateTree } from './candidate-tree.js';

test('counts chunks and their beginnings', () => {
  const tree = new CandidateTree();
  for (const chunk of [
    [5, 1],
    [5, 2],
    [6, 1],
    [5, 1],
    [128_256, 0],
  ])
    tree.add(chunk);
  expect(tree.size).toBe(5);
  expect(tree.leaves.map(leaf => [tree.chunk(leaf), tree.count(leaf)])).toEqual([
    [[5, 1], 2],
    [[5, 2], 1],
    [[6, 1], 1],
    [[128_256, 0], 1],
  ]);
  const first = tree.children(0);
  expect(first.map(node => [tree.token(node), tree.count(node)])).toEqual([
    [5, 3],
    [6, 1],
    [128_256, 1],
  ]);
  expect(tree.children(first[0]!).map(node => [tree.token(node), tree.count(node)])).toEqual([
    [1, 2],
    [2, 1],
  ]);
  expect(tree.children(tree.leaves[0]!)).toEqual([]);
  expect(tree.path(tree.leaves[1]!)).toEqual([first[0], tree.leaves[1]]);
  expect(tree.path(0)).toEqual([]);
});

test('equal chunks give the same leaf', () => {
  const tree = new CandidateTree();
  expect(tree.add([7, 8, 9])).toBe(tree.add([7, 8, 9]));
  expect(tree.add([7, 8, 8])).not.toBe(tree.add([7, 9, 9]));
});
