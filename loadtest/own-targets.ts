/** Targets of a run that names none: the models of a server that it starts itself. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HttpConnections } from './client/exchange.js';
import { type Quality, readEvaluation, unknownQuality } from './measure/quality.js';
import { startOwnServer } from './targets/own-server.js';
import { listModels } from './targets/probe.js';
import type { Target } from './targets/target.js';

const modelsFolder = fileURLToPath(new URL('../models', import.meta.url));
const startTimeoutMs = 30_000;

export interface OwnTargets extends AsyncDisposable {
  readonly targets: readonly Target[];
  /** Evaluations of the packages, by the target's name. */
  readonly evaluations: ReadonlyMap<string, Quality>;
}

/**
 * Starts the server with the given packages, or its default ones, and makes each of its models a target.
 *
 * @throws UsageError where it does not start
 */
export async function startOwnTargets(
  packages: readonly string[],
  serveOptions: readonly string[],
): Promise<OwnTargets> {
  const models = packages.flatMap(name => ['--model', name]);
  const server = await startOwnServer([...models, ...serveOptions]);
  try {
    using connections = new HttpConnections();
    const listed = await listModels({ baseUrl: server.baseUrl, apiKey: null }, connections, startTimeoutMs);
    const targets = (listed ?? []).map(({ id }) => ({
      name: id,
      baseUrl: server.baseUrl,
      model: id,
      apiKey: null,
      serverPid: server.pid,
    }));
    return {
      targets,
      evaluations: readEvaluations(packages, targets),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** A package lies where --model says, or under its name in the models folder; the server lists them in that order. */
function readEvaluations(packages: readonly string[], targets: readonly Target[]): Map<string, Quality> {
  const evaluations = new Map<string, Quality>();
  for (const [index, { name }] of targets.entries()) {
    const given = packages[index] ?? defaultPackage(index) ?? name;
    const folder = existsSync(join(given, 'manifest.json')) ? given : join(modelsFolder, basename(given));
    evaluations.set(name, existsSync(folder) ? readEvaluation(folder) : unknownQuality);
  }
  return evaluations;
}

function defaultPackage(index: number): string | null {
  try {
    const { models } = JSON.parse(readFileSync(join(modelsFolder, 'default.json'), 'utf8')) as {
      models?: unknown;
    };
    const name = Array.isArray(models) ? models[index] : undefined;
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}
