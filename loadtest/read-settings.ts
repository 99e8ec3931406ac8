/** From command-line options to settings and targets; everything that can be wrong with them is said here. */
import { relative, resolve } from 'node:path';
import type { CommandOptions } from './command.js';
import type { Load } from './load/plan.js';
import { orderPrompts, readPrompts } from './load/prompts.js';
import { parseBrierLm, parseFlops, type Quality, unknownQuality } from './measure/quality.js';
import type { RunSettings } from './settings.js';
import { checkNames, parseTarget, type Target, valueFor } from './targets/target.js';
import { UsageError } from './usage-error.js';

const defaultConcurrency = [1, 2, 4, 8, 16, 32];
const defaultWarmup = 8;
const defaultTimeLimitMinutes = 5;

/**
 * Settings of the run. A rate without --concurrency asks for the open loop alone.
 *
 * @throws UsageError where the prompts cannot be read
 */
export function readSettings(options: CommandOptions): RunSettings {
  const concurrency = options.concurrency ?? (options.rate ? [] : defaultConcurrency);
  const loads: Load[] = [
    ...(options.rawRequests > 0
      ? [{ kind: 'raw' as const, connections: Math.min(options.rawConnections, options.rawRequests) }]
      : []),
    ...concurrency.map(count => ({ kind: 'closed' as const, concurrency: count })),
    ...(options.rate ?? []).map(ratePerSecond => ({ kind: 'open' as const, ratePerSecond })),
  ];
  return {
    loads,
    temperatures: options.temperature ?? (options.full ? [1, 0.5] : [1]),
    repetitions: options.repetitions ?? (options.full ? 5 : 3),
    timeLimitMs: readTimeLimit(options),
    requests: options.requests ?? null,
    warmupRequests: options.warmup ?? Math.max(defaultWarmup, ...concurrency),
    prompts: options.prompts === 'random' ? 'random' : relative(process.cwd(), resolve(options.prompts)),
    promptTexts:
      options.prompts === 'random' ? null : orderPrompts(readPrompts(options.prompts), options.seed),
    inputTokens: options.inputTokens ?? null,
    outputTokens: options.outputTokens,
    rawRequests: options.rawRequests,
    rawOutputTokens: options.rawTokens,
    ignoreEos: options.ignoreEos,
    allowLoops: options.allowLoops ?? false,
    seed: options.seed,
    timeoutMs: options.timeout * 1000,
    goodput: options.goodput ?? null,
    baseline: options.baseline ?? null,
  };
}

/** Milliseconds; null for none. */
function readTimeLimit({ timeLimit, full }: CommandOptions): number | null {
  const minutes = timeLimit ?? (full ? 0 : defaultTimeLimitMinutes);
  return minutes === 0 ? null : minutes * 60_000;
}

/**
 * The targets that --target names; none where a server has to be started.
 *
 * @throws UsageError
 */
export function readTargets(options: CommandOptions, environment: NodeJS.ProcessEnv): Target[] {
  const parsed = options.target.map(parseTarget);
  checkNames(parsed);
  const names = parsed.map(({ name }) => name);
  return parsed.map(target => {
    const pid = valueFor(target.name, options.serverPid, names);
    return {
      ...target,
      apiKey: valueFor(target.name, options.apiKey, names) ?? environment.LOADTEST_API_KEY ?? null,
      serverPid: pid === null ? null : readPid(pid),
    };
  });
}

function readPid(text: string): number {
  const pid = Number(text);
  if (Number.isInteger(pid) && pid > 0) return pid;
  throw new UsageError(`--server-pid must be a process id, or name=pid. Given: ${JSON.stringify(text)}.`);
}

/**
 * Checks that every name in --baseline, --brierlm and --flops is a target's.
 *
 * @throws UsageError naming the targets that there are
 */
export function checkOptionNames(options: CommandOptions, names: readonly string[]): void {
  const given = [
    ...(options.baseline === undefined ? [] : [['--baseline', options.baseline] as const]),
    ...options.brierlm.map(value => ['--brierlm', value.split('=')[0] ?? ''] as const),
    ...options.flops.map(value => ['--flops', value.split('=')[0] ?? ''] as const),
  ];
  for (const [option, name] of given) {
    if (names.includes(name)) continue;
    throw new UsageError(
      `${option} names no target: ${JSON.stringify(name)}. Targets are ${names.join(', ')}.`,
    );
  }
}

/** What is known of a target: the options, and what they leave open from its package's evaluation. */
export function readQuality(
  options: CommandOptions,
  name: string,
  evaluated: Quality = unknownQuality,
): Quality {
  const score = options.brierlm.filter(value => value.startsWith(`${name}=`)).at(-1);
  const flops = options.flops.filter(value => value.startsWith(`${name}=`)).at(-1);
  return {
    ...evaluated,
    ...(score === undefined ? {} : parseBrierLm(score.slice(name.length + 1))),
    ...(flops === undefined ? {} : { flopsPerToken: parseFlops(flops.slice(name.length + 1)) }),
  };
}

/** The command as it can be repeated, without keys. */
export function describeCommand(args: readonly string[]): string {
  const shown = args.map((arg, index) => {
    if (args[index - 1] === '--api-key') return '...';
    return arg.startsWith('--api-key=') ? '--api-key=...' : quoteArgument(arg);
  });
  return ['npm run loadtest', ...(shown.length > 0 ? ['--', ...shown] : [])].join(' ');
}

function quoteArgument(arg: string): string {
  return /^[\w@%+=:,./#-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
}
