/** Puts one load on one target and records every request. */
import { type CompletionJob, type CompletionTimes, callCompletion } from '../client/completion-call.js';
import { type FailureCode, RequestFailure } from '../client/request-failure.js';
import type { Clock } from '../clock.js';
import { startCpuMeter } from '../measure/cpu.js';
import { countFailures, type RunRecord } from '../measure/records.js';
import { type RunSettings, requestsFor } from '../settings.js';
import type { PreparedTarget } from '../targets/prepared-target.js';
import { runClosedLoop, type Send } from './closed-loop.js';
import { FailureStreak } from './failure-streak.js';
import { runOpenLoop } from './open-loop.js';
import type { Load, Point } from './plan.js';
import { createRandom, hashText, poissonArrivalsMs } from './random.js';
import { measureRawThroughput } from './raw-throughput.js';

/** Failures in a row, beyond the requests that fail together, after which a run ends. */
const leastStreak = 3;

/** Is called when a request has ended. */
export type RequestListener = () => void;

/** Runs one point. Requests of the same number are the same for every target: prompt, seed and arrival time. */
export async function runPoint(
  prepared: PreparedTarget,
  point: Point,
  settings: RunSettings,
  clock: Clock,
  onRequest: RequestListener,
): Promise<RunRecord> {
  const count = requestsFor(point.load, settings);
  const stopMeter = startCpuMeter(prepared.target.serverPid);
  if (point.load.kind === 'raw') {
    const [first, ...rest] = Array.from({ length: count }, (_, index) =>
      makeJob(prepared, point, settings, index),
    );
    if (!first) throw new RangeError('A raw run needs at least one request.');
    const raw = await measureRawThroughput(
      prepared.endpoint,
      [first, ...rest],
      point.load.connections,
      clock,
    );
    return { kind: 'raw', point, raw, cpu: stopMeter() };
  }
  const startMs = clock.now();
  const { answers, failures } = await sendAll(prepared, point, settings, clock, onRequest, count);
  const wallMs = clock.now() - startMs;
  const requests = answers.length + failures.length;
  return {
    kind: 'streamed',
    point,
    wallMs,
    answers,
    failures: countFailures(failures),
    requests,
    cpu: stopMeter(),
  };
}

async function sendAll(
  prepared: PreparedTarget,
  point: Point,
  settings: RunSettings,
  clock: Clock,
  onRequest: RequestListener,
  count: number,
) {
  const answers: CompletionTimes[] = [];
  const failures: { code: FailureCode; message: string }[] = [];
  const streak = new FailureStreak(leastStreak + concurrencyOf(point.load));
  const send: Send = async (index, intendedMs) => {
    try {
      const job = makeJob(prepared, point, settings, index);
      answers.push(await callCompletion(prepared.endpoint, job, intendedMs, clock));
      streak.succeed();
    } catch (error) {
      if (!(error instanceof RequestFailure)) throw error;
      failures.push(error);
      streak.fail();
    }
    onRequest();
    return !streak.isOver;
  };
  const { load } = point;
  if (load.kind === 'open') {
    const random = createRandom(settings.seed + 7919 * (point.repetition + 1));
    await runOpenLoop(poissonArrivalsMs(count, load.ratePerSecond, random), send, clock);
  } else {
    await runClosedLoop(count, concurrencyOf(load), send, clock);
  }
  return { answers, failures };
}

function concurrencyOf(load: Load): number {
  return load.kind === 'closed' ? load.concurrency : 1;
}

function makeJob(
  { promptFor }: PreparedTarget,
  { load, repetition, temperature }: Point,
  settings: RunSettings,
  index: number,
): CompletionJob {
  return {
    // Random prompts differ between runs, so that a prefix cache finds nothing; not between targets.
    prompt: promptFor(index, hashText(JSON.stringify([load, temperature, repetition]))),
    maxTokens: load.kind === 'raw' ? settings.rawOutputTokens : settings.outputTokens,
    temperature,
    seed: settings.seed + index,
    ignoreEos: settings.ignoreEos,
    allowLoops: settings.allowLoops,
  };
}
