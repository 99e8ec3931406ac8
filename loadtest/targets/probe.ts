/** Finds out, before anything is timed, whether a target answers and what it serves. */
import { z } from 'zod';
import {
  type CompletionEndpoint,
  type CompletionJob,
  callCompletion,
  requestHeaders,
  type SamplingExtensions,
} from '../client/completion-call.js';
import { exchange, type HttpConnections } from '../client/exchange.js';
import { describeRefusal } from '../client/refusal.js';
import { RequestFailure } from '../client/request-failure.js';
import type { Clock } from '../clock.js';
import type { Target } from './target.js';

const modelListSchema = z.looseObject({
  data: z.array(
    z.looseObject({
      id: z.string(),
      meta: z
        .looseObject({
          kind: z.string().nullish(),
          chunk_size: z.int().positive().nullish(),
          n_vocab: z.int().positive().nullish(),
        })
        .nullish()
        .catch(null),
    }),
  ),
});

/** What a server says about a model; null where it says nothing. */
export interface ModelDescription {
  readonly id: string;
  readonly kind: string | null;
  readonly chunkSize: number | null;
  readonly vocabSize: number | null;
}

/**
 * GET /v1/models.
 *
 * @returns null where the server has no such list
 * @throws RequestFailure unreachable, key_refused and all else that a request can meet
 */
export async function listModels(
  target: Pick<Target, 'baseUrl' | 'apiKey'>,
  connections: HttpConnections,
  timeoutMs: number,
): Promise<ModelDescription[] | null> {
  const parts: Buffer[] = [];
  let status = 0;
  await exchange(
    connections,
    {
      method: 'GET',
      url: new URL(`${target.baseUrl}/v1/models`),
      headers: requestHeaders(target.apiKey),
      timeoutMs,
    },
    {
      head(given) {
        status = given;
      },
      bytes: bytes => void parts.push(bytes),
    },
  );
  const body = Buffer.concat(parts).toString();
  if (status === 404 || status === 405) return null;
  if (status !== 200) throw describeRefusal(status, body);
  return parseModelList(body);
}

function parseModelList(body: string): ModelDescription[] {
  try {
    return modelListSchema.parse(JSON.parse(body)).data.map(({ id, meta }) => ({
      id,
      kind: meta?.kind ?? null,
      chunkSize: meta?.chunk_size ?? null,
      vocabSize: meta?.n_vocab ?? null,
    }));
  } catch {
    throw new RequestFailure('malformed', 'GET /v1/models did not answer with a list of models.');
  }
}

/**
 * The model to measure.
 *
 * @throws RequestFailure model_not_found, with the names that the server has
 */
export function chooseModel(
  models: readonly ModelDescription[] | null,
  wanted: string | null,
): ModelDescription {
  const unknown = { kind: null, chunkSize: null, vocabSize: null };
  if (models === null && wanted !== null) return { id: wanted, ...unknown };
  const chosen = wanted === null ? models?.[0] : models?.find(({ id }) => id === wanted);
  if (chosen) return chosen;
  const listed = models && models.length > 0 ? `It serves ${models.map(({ id }) => id).join(', ')}.` : '';
  const sentence =
    wanted === null
      ? 'The server lists no model; name one after # in --target.'
      : `The server serves no model ${wanted}. ${listed}`.trim();
  throw new RequestFailure('model_not_found', sentence);
}

/** vLLM and llama-server name "no limit" 0; older vLLM and SGLang take -1 alone; OpenAI refuses the fields. */
const samplingVariants: readonly SamplingExtensions[] = [{ top_k: 0, min_p: 0 }, { top_k: -1, min_p: 0 }, {}];

/**
 * Sends one short request, with fewer extensions of OpenAI's API each time that the server refuses it.
 *
 * @returns the endpoint as it can be used
 * @throws RequestFailure as the plainest request met it, or the first one that was not refused
 */
export async function tryEndpoint(
  endpoint: Omit<CompletionEndpoint, 'asksContinuousUsage' | 'samplingExtensions'>,
  job: CompletionJob,
  clock: Clock,
): Promise<CompletionEndpoint> {
  const variants = [true, false].flatMap(asksContinuousUsage =>
    samplingVariants.map(samplingExtensions => ({ ...endpoint, asksContinuousUsage, samplingExtensions })),
  );
  let refusal: unknown = null;
  for (const variant of variants) {
    try {
      await callCompletion(variant, job, clock.now(), clock);
      return variant;
    } catch (error) {
      if (!(error instanceof RequestFailure) || error.code !== 'refused') throw error;
      refusal = error;
    }
  }
  throw refusal;
}
