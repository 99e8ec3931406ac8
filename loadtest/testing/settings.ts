/** Settings and option values for tests: small, quick, and complete. */

import type { CompletionEndpoint, CompletionJob } from '../client/completion-call.js';
import { HttpConnections } from '../client/exchange.js';
import { readPrompts, storyOpeningsFile } from '../load/prompts.js';
import type { RunSettings } from '../settings.js';
import type { Target } from '../targets/target.js';

export function makeSettings(changes: Partial<RunSettings> = {}): RunSettings {
  return {
    loads: [{ kind: 'closed', concurrency: 2 }],
    temperatures: [1],
    repetitions: 2,
    timeLimitMs: null,
    requests: 4,
    warmupRequests: 1,
    prompts: storyOpeningsFile,
    promptTexts: changes.prompts === 'random' ? null : readPrompts(storyOpeningsFile),
    inputTokens: null,
    outputTokens: 10,
    rawRequests: 4,
    rawOutputTokens: 3,
    ignoreEos: true,
    allowLoops: false,
    seed: 1,
    timeoutMs: 30_000,
    goodput: null,
    baseline: null,
    ...changes,
  };
}

export function makeTarget(name: string, baseUrl: string, changes: Partial<Target> = {}): Target {
  return { name, baseUrl, model: 'm', apiKey: null, serverPid: null, ...changes };
}

export function makeEndpoint(baseUrl: string, changes: Partial<CompletionEndpoint> = {}): CompletionEndpoint {
  return {
    baseUrl,
    model: 'm',
    apiKey: null,
    connections: new HttpConnections(),
    timeoutMs: 30_000,
    asksContinuousUsage: true,
    samplingExtensions: { top_k: 0, min_p: 0 },
    ...changes,
  };
}

export function makeJob(changes: Partial<CompletionJob> = {}): CompletionJob {
  return {
    prompt: 'Once upon a time',
    maxTokens: 10,
    temperature: 1,
    seed: 7,
    ignoreEos: true,
    allowLoops: false,
    ...changes,
  };
}
