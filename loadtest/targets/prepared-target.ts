/** A target that answered: what is sent to it, and how. */
import type { CompletionEndpoint, CompletionJob, Prompt } from '../client/completion-call.js';
import { callCompletion } from '../client/completion-call.js';
import { HttpConnections } from '../client/exchange.js';
import { RequestFailure } from '../client/request-failure.js';
import type { Clock } from '../clock.js';
import { randomTokenPrompt } from '../load/prompts.js';
import type { RunSettings } from '../settings.js';
import { chooseModel, listModels, type ModelDescription, tryEndpoint } from './probe.js';
import { fitPrompt } from './prompt-length.js';
import { readServerVersion } from './server-version.js';
import type { Target } from './target.js';

export interface PreparedTarget extends Disposable {
  readonly target: Target;
  readonly model: ModelDescription;
  /** As the server says it; null where it does not. */
  readonly serverVersion: string | null;
  readonly endpoint: CompletionEndpoint;
  /** The prompt of request number `index` of a run; `salt` differs between runs. */
  promptFor(index: number, salt: number): Prompt;
}

/** Prompts that are cut to a length; requests beyond take them again in turn. */
const mostFittedPrompts = 16;
/** Where a server does not tell its vocabulary: small enough for any tokenizer in use. */
const assumedVocabSize = 4000;
const defaultRandomTokens = 32;
const probeTokens = 4;

/**
 * Asks for the models, sends one request, and cuts the prompts.
 *
 * @throws RequestFailure saying what is wrong with the target
 */
export async function prepareTarget(
  target: Target,
  settings: RunSettings,
  clock: Clock,
): Promise<PreparedTarget> {
  const connections = new HttpConnections();
  try {
    const model = chooseModel(await listModels(target, connections, settings.timeoutMs), target.model);
    const makeJob = (prompt: Prompt, maxTokens: number): CompletionJob => ({
      prompt,
      maxTokens,
      temperature: settings.temperatures[0] ?? 1,
      seed: settings.seed,
      ignoreEos: settings.ignoreEos,
      allowLoops: true,
    });
    const wholePrompts = preparePrompts(settings, model);
    const first = wholePrompts(0, 0);
    const endpoint = await tryEndpoint(
      {
        baseUrl: target.baseUrl,
        model: model.id,
        apiKey: target.apiKey,
        connections,
        timeoutMs: settings.timeoutMs,
      },
      makeJob(first, probeTokens),
      clock,
    );
    const serverVersion = await readServerVersion(target, connections, settings.timeoutMs);
    const measure = async (text: string): Promise<number> =>
      needCount(await callCompletion(endpoint, makeJob(text, 1), clock.now(), clock));
    return {
      target,
      model,
      serverVersion,
      endpoint,
      promptFor: await fitPrompts(wholePrompts, settings, measure),
      [Symbol.dispose]: () => connections[Symbol.dispose](),
    };
  } catch (error) {
    connections[Symbol.dispose]();
    throw error;
  }
}

type PromptSource = (index: number, salt: number) => Prompt;

function preparePrompts(
  { promptTexts, inputTokens, seed }: RunSettings,
  model: ModelDescription,
): PromptSource {
  if (promptTexts) return index => promptTexts[index % promptTexts.length] ?? '';
  const tokens = inputTokens ?? defaultRandomTokens;
  const vocabSize = model.vocabSize ?? assumedVocabSize;
  return (index, salt) => randomTokenPrompt(tokens, vocabSize, seed + salt + 65_537 * index);
}

/** Cuts texts to --input-tokens where it is given. */
async function fitPrompts(
  whole: PromptSource,
  { promptTexts, inputTokens }: RunSettings,
  measure: (text: string) => Promise<number>,
): Promise<PromptSource> {
  if (!promptTexts || inputTokens === null) return whole;
  const fitted: string[] = [];
  for (let start = 0; start < Math.min(mostFittedPrompts, promptTexts.length); start++) {
    fitted.push(await fitPrompt(promptTexts, start, inputTokens, measure));
  }
  return index => fitted[index % fitted.length] ?? '';
}

function needCount({ promptTokens }: { readonly promptTokens: number | null }): number {
  if (promptTokens !== null) return promptTokens;
  throw new RequestFailure('no_usage', 'usage.prompt_tokens is missing, so --input-tokens cannot be kept.');
}
