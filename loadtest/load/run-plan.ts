/** Runs all points of a plan, and goes on with the others where a target fails. */
import { callCompletion, type SamplingExtensions } from '../client/completion-call.js';
import { RequestFailure } from '../client/request-failure.js';
import type { Clock } from '../clock.js';
import type { RunRecord } from '../measure/records.js';
import { type RunSettings, requestsFor } from '../settings.js';
import { type PreparedTarget, prepareTarget } from '../targets/prepared-target.js';
import type { Target } from '../targets/target.js';
import { runClosedLoop } from './closed-loop.js';
import { type Point, planPoints } from './plan.js';
import { runPoint } from './run-point.js';

/** What became of a target. */
export interface TargetResult {
  readonly target: Target;
  /** The model's name as the server has it; null where it could not be found out. */
  readonly model: string | null;
  readonly kind: string | null;
  readonly chunkSize: number | null;
  /** What the server says of itself; null where it says nothing. */
  readonly serverVersion: string | null;
  /** Extensions that its requests carried; null where it answered none. */
  readonly samplingExtensions: SamplingExtensions | null;
  /** A sentence that says why the target was not measured, or not to the end; null where it was. */
  readonly problem: string | null;
}

export interface PlanResult {
  readonly targets: readonly TargetResult[];
  readonly records: readonly RunRecord[];
  /** Those that were begun; fewer than asked for where the time was over. */
  readonly repetitions: number;
}

/** Hears how far a run is. */
export interface ProgressListener {
  start(totalRequests: number): void;
  /** `label` names what begins now. */
  point(label: string): void;
  /** `count` requests have ended, or will not be sent. */
  advance(count: number): void;
  note(sentence: string): void;
}

/** Probes, warms up and measures every target. */
export async function runPlan(
  targets: readonly Target[],
  settings: RunSettings,
  clock: Clock,
  progress: ProgressListener,
): Promise<PlanResult> {
  const states = targets.map(target => new TargetState(target));
  try {
    for (const state of states) await state.prepare(settings, clock, progress);
    const points = planPoints({ ...settings, targetCount: targets.length });
    progress.start(countRequests(points, settings));
    const records: RunRecord[] = [];
    const startMs = clock.now();
    let repetitions = 1;
    for (const [index, point] of points.entries()) {
      if (point.repetition === repetitions) {
        if (!fitsOneMore(clock.now() - startMs, repetitions, settings.timeLimitMs)) {
          progress.advance(countRequests(points.slice(index), settings));
          break;
        }
        repetitions += 1;
      }
      const record = await states[point.target]?.run(point, settings, clock, progress);
      if (record) records.push(record);
    }
    return { targets: states.map(state => state.describe()), records, repetitions };
  } finally {
    for (const state of states) state.close();
  }
}

/** Whether another repetition as long as the ones before ends within the limit. */
function fitsOneMore(elapsedMs: number, repetitions: number, limitMs: number | null): boolean {
  return limitMs === null || elapsedMs + elapsedMs / repetitions <= limitMs;
}

function countRequests(points: readonly Point[], settings: RunSettings): number {
  return points.reduce((sum, point) => sum + requestsFor(point.load, settings), 0);
}

class TargetState {
  readonly #target: Target;
  #prepared: PreparedTarget | null = null;
  #problem: string | null = null;

  constructor(target: Target) {
    this.#target = target;
  }

  async prepare(settings: RunSettings, clock: Clock, progress: ProgressListener): Promise<void> {
    try {
      progress.point(`${this.#target.name}: asking for its models and warming up`);
      this.#prepared = await prepareTarget(this.#target, settings, clock);
      await warmUp(this.#prepared, settings, clock);
    } catch (error) {
      this.#giveUp(error, progress);
    }
  }

  async run(
    point: Point,
    settings: RunSettings,
    clock: Clock,
    progress: ProgressListener,
  ): Promise<RunRecord | null> {
    const planned = requestsFor(point.load, settings);
    if (this.#prepared === null || this.#problem !== null) {
      progress.advance(planned);
      return null;
    }
    progress.point(describePoint(this.#target.name, point, settings));
    let ended = 0;
    const record = await runPoint(this.#prepared, point, settings, clock, () => {
      ended++;
      progress.advance(1);
    });
    progress.advance(planned - ended);
    const problem = describeCollapse(record, planned);
    if (problem !== null) this.#giveUp(new RequestFailure('refused', problem), progress);
    return record;
  }

  describe(): TargetResult {
    const model = this.#prepared?.model;
    return {
      target: this.#target,
      model: model?.id ?? this.#target.model,
      kind: model?.kind ?? null,
      chunkSize: model?.chunkSize ?? null,
      serverVersion: this.#prepared?.serverVersion ?? null,
      samplingExtensions: this.#prepared?.endpoint.samplingExtensions ?? null,
      problem: this.#problem,
    };
  }

  close(): void {
    this.#prepared?.[Symbol.dispose]();
  }

  #giveUp(error: unknown, progress: ProgressListener): void {
    if (!(error instanceof RequestFailure)) throw error;
    this.#problem = error.message;
    progress.note(`${this.#target.name}: ${error.message}`);
  }
}

/** Touches memory, fills connection pools and lets just-in-time compilers work, at the highest concurrency. */
async function warmUp(prepared: PreparedTarget, settings: RunSettings, clock: Clock): Promise<void> {
  let failure: unknown = null;
  const send = async (index: number, intendedMs: number): Promise<boolean> => {
    const job = {
      prompt: prepared.promptFor(index, 1),
      maxTokens: settings.outputTokens,
      temperature: settings.temperatures[0] ?? 1,
      seed: settings.seed + index,
      ignoreEos: settings.ignoreEos,
      // Judged where it is measured.
      allowLoops: true,
    };
    try {
      await callCompletion(prepared.endpoint, job, intendedMs, clock);
      return true;
    } catch (error) {
      failure ??= error;
      return false;
    }
  };
  await runClosedLoop(settings.warmupRequests, settings.warmupRequests, send, clock);
  if (failure !== null) throw failure;
}

/** Why a target is given up after a run; null where it goes on. */
function describeCollapse(record: RunRecord, planned: number): string | null {
  if (record.kind === 'raw') {
    const { requests, failures } = record.raw;
    return failures.length === requests
      ? `All ${requests} short requests that were not streamed failed, so the rest of its runs was left out. ${failures[0]?.message ?? ''}`
      : null;
  }
  if (record.requests === planned && record.answers.length > 0) return null;
  const first = record.failures[0];
  const failed = record.requests - record.answers.length;
  return `${failed} of ${record.requests} requests failed, so the rest of its runs was left out. ${first?.example ?? ''}`;
}

function describePoint(
  name: string,
  { load, temperature, repetition }: Point,
  settings: RunSettings,
): string {
  const what =
    load.kind === 'closed'
      ? `${load.concurrency} at a time`
      : load.kind === 'open'
        ? `${load.ratePerSecond} a second`
        : `short answers, ${load.connections} connections`;
  const turn = `${repetition + 1} of ${settings.repetitions}`;
  return `${name}: ${what}, T = ${temperature}, run ${turn}`;
}
