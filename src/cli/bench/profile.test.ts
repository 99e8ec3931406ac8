/** A trace of ONNX Runtime's profiler, summed by operator. */
import { expect, test } from 'vitest';
import { WARMUP_RUNS } from './graph-times.js';
import { profileText, summarizeTrace } from './profile.js';

const kernel = (node: string, operator: string, dur: number) => ({
  cat: 'Node',
  name: `${node}_kernel_time`,
  dur,
  args: { op_name: operator },
});

test('medians without the first runs, longest operator first', () => {
  const warmUp = Array.from({ length: WARMUP_RUNS }, () => [
    { cat: 'Session', name: 'model_run', dur: 90_000 },
    kernel('a', 'MatMul', 80_000),
    kernel('b', 'Add', 10_000),
    kernel('c', 'MatMul', 10_000),
  ]);
  const runs = [1000, 3000, 2000].map(us => [
    { cat: 'Session', name: 'model_run', dur: us + 1500 },
    { cat: 'Node', name: 'a_fence_before', dur: 700, args: { op_name: 'MatMul' } },
    kernel('a', 'MatMul', us),
    kernel('b', 'Add', 400),
    kernel('c', 'MatMul', 600),
  ]);
  const summary = summarizeTrace([...warmUp, ...runs].flat());
  expect(summary).toEqual({
    operators: [
      { operator: 'MatMul', nodes: 2, ms: 2.6 },
      { operator: 'Add', nodes: 1, ms: 0.4 },
    ],
    runMs: 3.5,
  });
  expect(profileText({ batch: 4, contextTokens: 512, ...summary })).toContain(
    'context 512, batch 4: 3.50 ms a run, 3.00 ms of it in kernels',
  );
});
