/** What the requests ask to continue. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../usage-error.js';
import { createRandom, shuffle } from './random.js';

/** Openings of short stories that come with the load generator. */
export const storyOpeningsFile = fileURLToPath(new URL('../../loadtest/story-openings.txt', import.meta.url));

/**
 * Prompts of a file: paragraphs between empty lines, or for `.jsonl` one string or `{"prompt": "..."}` a line.
 *
 * @throws UsageError where the file cannot be read or has none
 */
export function readPrompts(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`Cannot read the file of --prompts, ${file} (${code ?? 'unknown reason'}).`);
  }
  const prompts = file.endsWith('.jsonl') ? readJsonLines(text, file) : readParagraphs(text);
  if (prompts.length > 0) return prompts;
  throw new UsageError(`The file of --prompts, ${file}, holds no prompt.`);
}

function readParagraphs(text: string): string[] {
  return text
    .split(/\r?\n\s*\r?\n/)
    .map(paragraph => paragraph.trim())
    .filter(paragraph => paragraph !== '');
}

function readJsonLines(text: string, file: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      const value: unknown = JSON.parse(line);
      const prompt = typeof value === 'string' ? value : (value as { prompt?: unknown } | null)?.prompt;
      if (typeof prompt === 'string') return [prompt];
    } catch {
      // Told below with the line's number.
    }
    throw new UsageError(`Line ${index + 1} of ${file} must be a JSON string or {"prompt": "..."}.`);
  });
}

/** Prompts in a shuffled order that depends on the seed alone. */
export function orderPrompts<Prompt>(prompts: readonly Prompt[], seed: number): Prompt[] {
  return shuffle(prompts, createRandom(seed));
}

/**
 * A prompt of random token ids: any length to the token, no tokenizer, and nothing for a prefix cache to find.
 * Both ends of a vocabulary are left out because special tokens live there.
 */
export function randomTokenPrompt(tokens: number, vocabSize: number, seed: number): number[] {
  const random = createRandom(seed);
  const margin = Math.floor(vocabSize / 20);
  return Array.from({ length: tokens }, () => margin + Math.floor(random() * (vocabSize - 2 * margin)));
}

/** The words of a prompt, each with the space in front of it, so that any number of them is a text. */
export function splitWords(text: string): string[] {
  return text.match(/\s*\S+/g) ?? [];
}
