/** Texts as users would get them: held-out openings, continued by the model until its end of text or a limit. */
import { generate } from './open-model.js';

/** A text in which so many tokens in a row appear so often has run into a loop; no user's text is measured by that. */
const LOOP_TOKENS = 8;
const LOOP_REPEATS = 3;

export function isLooping(tokens) {
  const counts = new Map();
  for (let i = 0; i + LOOP_TOKENS <= tokens.length; i += 1) {
    const name = tokens.slice(i, i + LOOP_TOKENS).join();
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (counts.get(name) === LOOP_REPEATS) return true;
  }
  return false;
}

/**
 * Has a model tell how many draws each decision needed, beside those that it fetched: `take()` gives what was chosen
 * since the last call, as { seed, step, draws, needed, fallback }.
 */
export function watchDecisions(model) {
  const step = model.step.bind(model);
  let choices = [];
  model.step = async plan => {
    const outcome = await step(plan);
    for (const [row, choice] of outcome.choices.entries()) {
      if (!('chunk' in choice)) continue;
      const { sampling, step: number } = plan.decode[row];
      const { draws, drawsNeeded: needed = draws, fallback } = choice;
      choices.push({ seed: sampling.seed, step: number, draws, needed, fallback });
    }
    return outcome;
  };
  return {
    take() {
      const taken = choices;
      choices = [];
      return taken;
    },
  };
}

/** An opening's text: { seed, opening, tokens, chunks, isLoop }. The same seed gives the same text in any batch. */
export async function writeText({ engine, K, manifest }, opening, seed, chunks, sampling) {
  const events = await generate(
    engine,
    K,
    opening,
    chunks,
    { ...sampling, seed },
    manifest.eos_token_ids ?? [],
  );
  const tokens = events.flatMap(event => event.tokens);
  return { seed, opening, tokens, chunks: events.length, isLoop: isLooping([...opening, ...tokens]) };
}
