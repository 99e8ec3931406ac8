/** Where the time of a fused step goes, operator by operator, by ONNX Runtime's own profiler. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { ModelPackage } from '../../runtime/open-package.js';
import type { OrtEnvironment } from '../../runtime/ort/environment.js';
import type { Device } from '../../runtime/ort/memory.js';
import { GraphTimer, WARMUP_RUNS } from './graph-times.js';

/** All nodes of one operator in one step. */
export interface OperatorTime {
  readonly operator: string;
  readonly nodes: number;
  /** Sum over the nodes of their median times. */
  readonly ms: number;
}

export interface StepProfile {
  readonly batch: number;
  /** Tokens in each row's cache. */
  readonly contextTokens: number;
  /** Longest first. */
  readonly operators: readonly OperatorTime[];
  /** Median of a whole run, the recording included. */
  readonly runMs: number;
}

/** Chrome's trace format, as far as it is read here; durations are microseconds. */
const traceSchema = z.array(
  z.looseObject({
    cat: z.string().optional(),
    name: z.string().optional(),
    dur: z.number().optional(),
    args: z.looseObject({ op_name: z.string().optional() }).optional(),
  }),
);

/** Profiles `runs` runs of the fused step for `batch` rows that hold `contextTokens` tokens, rounded up to chunks. */
export async function profileStep(
  environment: OrtEnvironment,
  source: ModelPackage,
  device: Device,
  { batch, contextTokens, runs }: { batch: number; contextTokens: number; runs: number },
): Promise<StepProfile> {
  const folder = mkdtempSync(join(tmpdir(), 'calm-profile-'));
  try {
    const timer = new GraphTimer(environment, source, device, join(folder, 'graph'));
    try {
      const contextChunks = Math.ceil(contextTokens / source.manifest.chunk_size);
      const rows = await timer.prepare(batch, contextChunks);
      try {
        await rows.time('step', runs);
      } finally {
        rows.close();
      }
      const trace = traceSchema.parse(JSON.parse(readFileSync(timer.endProfiling('step'), 'utf8')));
      return { batch, contextTokens, ...summarizeTrace(trace) };
    } finally {
      timer.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Medians by operator; the first runs warm up and are left out. */
export function summarizeTrace(
  trace: z.infer<typeof traceSchema>,
): Omit<StepProfile, 'batch' | 'contextTokens'> {
  const nodes = new Map<string, { operator: string; times: number[] }>();
  const runs: number[] = [];
  for (const { cat, name = '', dur = 0, args } of trace) {
    if (cat === 'Session' && name === 'model_run') runs.push(dur);
    if (cat !== 'Node' || !name.endsWith('_kernel_time')) continue;
    const node = nodes.get(name) ?? { operator: args?.op_name ?? name, times: [] };
    node.times.push(dur);
    nodes.set(name, node);
  }
  const operators = new Map<string, { nodes: number; ms: number }>();
  for (const { operator, times } of nodes.values()) {
    const sum = operators.get(operator) ?? { nodes: 0, ms: 0 };
    operators.set(operator, {
      nodes: sum.nodes + 1,
      ms: sum.ms + median(times.slice(WARMUP_RUNS)) / 1000,
    });
  }
  return {
    operators: [...operators]
      .map(([operator, sum]) => ({ operator, ...sum }))
      .toSorted((a, b) => b.ms - a.ms),
    runMs: median(runs.slice(WARMUP_RUNS)) / 1000,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** A table for people. */
export function profileText({ batch, contextTokens, operators, runMs }: StepProfile): string {
  const kernels = operators.reduce((sum, { ms }) => sum + ms, 0);
  const lines = operators.map(
    ({ operator, nodes, ms }) =>
      `  ${operator.padEnd(34)}${String(nodes).padStart(5)}${ms.toFixed(3).padStart(10)} ms` +
      `${((100 * ms) / runMs).toFixed(1).padStart(7)} %`,
  );
  return [
    `Profile of a step at context ${contextTokens}, batch ${batch}: ` +
      `${runMs.toFixed(2)} ms a run, ${kernels.toFixed(2)} ms of it in kernels`,
    ...lines,
  ].join('\n');
}
