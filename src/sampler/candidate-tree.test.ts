import { expect, test } from 'vitest';
import { CandidateTree } from './candidate-tree.js';

test('counts chunks and their beginnings', () => {
  const tree = new CandidateTree();
  const leaves = [
    [5, 1],
    [5, 2],
    [6, 1],
    [5, 1],
    [128_256, 0],
  ].map(chunk => tree.add(chunk));
  expect(tree.count(0)).toBe(5);
  expect(leaves.map(leaf => tree.count(leaf))).toEqual([2, 1, 1, 2, 1]);
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
  expect(tree.children(leaves[0]!)).toEqual([]);
  expect(tree.path(leaves[1]!)).toEqual([first[0], leaves[1]]);
  expect(tree.path(0)).toEqual([]);
});

test('equal chunks give the same leaf', () => {
  const tree = new CandidateTree();
  expect(tree.add([7, 8, 9])).toBe(tree.add([7, 8, 9]));
  expect(tree.add([7, 8, 8])).not.toBe(tree.add([7, 9, 9]));
});
