/** A whole run: targets, plan, figures, report. */
import type { Clock } from './clock.js';
import type { CommandOptions } from './command.js';
import { runPlan } from './load/run-plan.js';
import { chooseBaseline, compareRows } from './measure/comparison.js';
import { describeMachine } from './measure/machine.js';
import type { Quality } from './measure/quality.js';
import { summarize } from './measure/summary.js';
import { type OwnTargets, startOwnTargets } from './own-targets.js';
import {
  checkOptionNames,
  describeCommand,
  readQuality,
  readSettings,
  readTargets,
} from './read-settings.js';
import { createProgress } from './report/progress.js';
import type { Report } from './report/report.js';
import { findWarnings } from './report/warnings.js';
import type { RunSettings } from './settings.js';
import type { Target } from './targets/target.js';
import { UsageError } from './usage-error.js';

/** What a run needs from the process it runs in. */
export interface RunContext {
  /** Arguments, for the report. */
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly progressStream: NodeJS.WriteStream;
}

/**
 * Measures what the options ask for.
 *
 * @throws UsageError for options that do not fit together, or a server of its own that does not start
 */
export async function runLoadtest(
  options: CommandOptions,
  serveOptions: readonly string[],
  context: RunContext,
): Promise<Report> {
  const named = readTargets(options, context.environment);
  const settings = readSettings(options);
  if (named.length > 0) {
    if (serveOptions.length > 0 || options.model.length > 0) {
      throw new UsageError(
        '--model and options after -- are for a server that the run starts itself, without --target.',
      );
    }
    return measure(named, new Map(), settings, options, context);
  }
  context.progressStream.write('Starting a server with the models to compare ...\n');
  await using own: OwnTargets = await startOwnTargets(options.model, serveOptions);
  return await measure(own.targets, own.evaluations, settings, options, context);
}

async function measure(
  targets: readonly Target[],
  evaluations: ReadonlyMap<string, Quality>,
  settings: RunSettings,
  options: CommandOptions,
  { args, clock, progressStream }: RunContext,
): Promise<Report> {
  const names = targets.map(({ name }) => name);
  checkOptionNames(options, names);
  const qualities = names.map(name => readQuality(options, name, evaluations.get(name)));
  const machine = describeMachine();
  const started = new Date().toISOString();
  const startMs = clock.now();
  const progress = createProgress(progressStream);
  try {
    const { targets: results, records, repetitions } = await runPlan(targets, settings, clock, progress);
    const { rows, rawRows } = summarize(records, settings.goodput);
    const baseline = chooseBaseline(results, settings.baseline);
    return {
      command: describeCommand(args),
      started,
      durationSeconds: (clock.now() - startMs) / 1000,
      machine,
      settings: { ...settings, repetitions },
      targets: results.map((result, index) => ({ ...result, quality: qualities[index] as Quality })),
      rows,
      rawRows,
      comparisons: baseline === null ? [] : compareRows(rows, baseline),
      warnings: findWarnings({ machine, settings, repetitions, targets: results, rows, rawRows }),
    };
  } finally {
    progress.stop();
  }
}
