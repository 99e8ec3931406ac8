/** OpenAI's text_completion objects as servers send them: whole, or one for each event of a stream. */
import { z } from 'zod';
import { readError } from './refusal.js';
import { RequestFailure } from './request-failure.js';

const usageSchema = z.looseObject({
  prompt_tokens: z.int().nonnegative().nullish(),
  completion_tokens: z.int().nonnegative(),
});

/** llama.cpp's name for an answer's figures; the draws of a CALM are calm-serve's own. Others may be anything. */
const timingsSchema = z.looseObject({
  draws: z.int().nonnegative().nullish(),
  chunks: z.int().nonnegative().nullish(),
});

const completionSchema = z.looseObject({
  choices: z.array(
    z.looseObject({
      text: z.string().nullish(),
      token_ids: z.array(z.int()).nullish(),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: usageSchema.nullish(),
  timings: timingsSchema.nullish().catch(null),
});

export type CompletionObject = z.infer<typeof completionSchema>;

/** Candidates that a model's sampler looked at, and the chunks that it made of them. */
export interface DrawCount {
  readonly draws: number;
  readonly chunks: number;
}

/** What an answer says, whichever way it came: all that `checkAnswer` looks at. */
export interface AnswerContent {
  /** By the server's usage. */
  readonly completionTokens: number;
  readonly finishReason: string | null;
  readonly text: string;
  readonly tokenIds: readonly number[];
}

/**
 * @param text JSON as it came
 * @param name what it is, for sentences: "An event", "The answer"
 * @throws RequestFailure malformed or error_in_stream
 */
export function parseCompletion(text: string, name: string): CompletionObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RequestFailure('malformed', `${name} is not JSON: ${quote(text)}`);
  }
  if (typeof value === 'object' && value !== null && 'error' in value && value.error) {
    throw hiddenError(text, name);
  }
  const parsed = completionSchema.safeParse(value);
  if (!parsed.success) {
    throw new RequestFailure('malformed', `${name} is no completion (choices, usage): ${quote(text)}`);
  }
  return parsed.data;
}

/** The draws that an object tells of; null where it tells of none. */
export function readDraws({ timings }: CompletionObject): DrawCount | null {
  const { draws, chunks } = timings ?? {};
  return draws && chunks ? { draws, chunks } : null;
}

/** An error behind a status of 200, with the server's own words. */
export function hiddenError(text: string, name: string): RequestFailure {
  return new RequestFailure('error_in_stream', `${name} carries an error: ${readError(text).message}`);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}
