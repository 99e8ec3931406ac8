/** From a schedule to the model and back: rows, positions and token ids instead of requests. */
import { CalmError } from '../errors.js';
import type { Generation } from './generation.js';
import type { LanguageModel, RowOutcome, StepOutcome, StepPlan } from './model.js';
import type { SchedulePlan } from './scheduler.js';

/** A model's answer, and the time it took in all. */
export interface RunOutcome extends StepOutcome {
  readonly modelMs: number;
}

/**
 * Copies rows as the schedule says, calls `afterMoves`, then runs the model's step. Reads everything from the requests before it first
 * waits. Answers of a wrong shape become errors of their row; rejects where the step as a whole failed.
 */
export async function runPlan(
  model: LanguageModel,
  plan: SchedulePlan<Generation>,
  now: () => number,
  afterMoves: () => void = () => {},
): Promise<RunOutcome> {
  const startedMs = now();
  const stepPlan = toStepPlan(plan);
  const copies = plan.moves.map(({ item, from, to }) => ({ from, to, chunks: item.cachedChunks }));
  for (const { from, to, chunks } of copies) await model.moveSlot(from, to, chunks);
  afterMoves();
  const outcome = await model.step(stepPlan);
  if (outcome.choices.length !== stepPlan.decode.length) {
    throw new Error(`the model answered ${outcome.choices.length} rows of ${stepPlan.decode.length}`);
  }
  const choices = outcome.choices.map(choice => checkedChoice(choice, model.chunkSize));
  return { ...outcome, choices, modelMs: now() - startedMs };
}

/** The error that a request's reader gets: one that is meant for users, or a sentence that hides one that is not. */
export function failureFor(error: unknown): CalmError {
  if (error instanceof CalmError) return error;
  const sentence = 'The model failed while it generated this text; send the request again.';
  return new CalmError('internal', sentence, { cause: error });
}

function toStepPlan(plan: SchedulePlan<Generation>): StepPlan {
  return {
    prefill: plan.prefill.map(({ item, row, chunkCount }) => {
      const scoring = item.pieceScoring(chunkCount);
      return {
        slot: row,
        position: item.cachedChunks,
        tokens: item.promptPiece(chunkCount),
        ...(scoring ? { scoring } : {}),
      };
    }),
    decode: plan.decode.map(item => ({
      ...(item.history ? { history: item.history } : {}),
      ...(item.given.length > 0 ? { given: item.given } : {}),
      // Whatever is pending before the last chunk is cached by this step's prefill.
      position: item.cachedChunks + item.pendingChunks - 1,
      chunk: item.lastChunk,
      sampling: item.request.sampling,
      step: item.step,
      ...(item.expectedDraws === undefined ? {} : { expectedDraws: item.expectedDraws }),
      ...(item.openDecision ? { open: item.openDecision } : {}),
    })),
  };
}

function checkedChoice(choice: RowOutcome, chunkSize: number): RowOutcome {
  if (choice instanceof Error || 'kind' in choice || choice.chunk.length === chunkSize) return choice;
  return new Error(`the model chose a chunk of ${choice.chunk.length} tokens instead of ${chunkSize}`);
}
