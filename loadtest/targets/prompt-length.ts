/** Prompts of a given number of tokens, for servers whose tokenizer nobody here has. */
import { splitWords } from '../load/prompts.js';

/** Requests that one prompt may cost before the nearest length found is taken. */
const mostMeasurements = 8;

/**
 * A text of about `tokens` tokens made of whole words: one prompt and then the ones after it, cut by what the server
 * counts. A word may be several tokens, so the result may be a few tokens short; reports show what was really sent.
 *
 * @param measure tokens of a text by the server's own usage
 */
export async function fitPrompt(
  prompts: readonly string[],
  start: number,
  tokens: number,
  measure: (text: string) => Promise<number>,
): Promise<string> {
  const words = collectWords(prompts, start, tokens);
  const cut = (count: number): string => words.slice(0, count).join('').trimStart();
  let low = 1;
  let high = Math.min(words.length, tokens);
  let best = cut(1);
  // A first guess at 3 words in 4 tokens lands near for English; bisection ends in time for anything else.
  let guess = Math.max(1, Math.min(high, Math.round(tokens * 0.75)));
  for (let round = 0; round < mostMeasurements && low <= high; round++) {
    const measured = await measure(cut(guess));
    if (measured <= tokens) {
      best = cut(guess);
      low = guess + 1;
    } else {
      high = guess - 1;
    }
    if (measured === tokens) break;
    const scaled = Math.round((guess * tokens) / Math.max(1, measured));
    guess = scaled >= low && scaled <= high ? scaled : Math.floor((low + high) / 2);
  }
  return best;
}

/** At least `count` words, from prompt `start` on and around. */
function collectWords(prompts: readonly string[], start: number, count: number): string[] {
  const words: string[] = [];
  for (let index = start; words.length < count; index++) {
    const prompt = prompts[index % prompts.length] ?? '';
    words.push(...splitWords(words.length === 0 ? prompt : `\n\n${prompt}`));
  }
  return words;
}
