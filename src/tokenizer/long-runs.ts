/**
 * tiktoken's merging takes time quadratic in the length of a piece, and a piece is a run of letters, of digits, of
 * white space or of other marks: a megabyte of one letter would block the process for many minutes. Runs longer
 * than any ordinary text has are cut, which may cost a token at the cut and changes nothing else. (Meta's Llama 3
 * tokenizer cuts runs for the same reason, at 25,000 characters.)
 */

/** Longest run, in code points, that is left whole. */
export const MAX_RUN = 500;

/** Split patterns in use make their pieces of one of these, plus at most a few characters. */
const runClasses = [/[\p{L}\p{M}]+/gu, /[^\s\p{L}\p{N}]+/gu, /\p{N}+/gu, /\s+/gu];

/** The text in parts that join to the whole; one part for nearly every text. Linear in the text. */
export function cutLongRuns(text: string): string[] {
  if (text.length <= MAX_RUN) return [text];
  const cuts = new Set<number>();
  for (const pattern of runClasses) {
    for (const match of text.matchAll(pattern)) {
      if (match[0].length > MAX_RUN) addCuts(match[0], match.index, cuts);
    }
  }
  const parts: string[] = [];
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    parts.push(text.slice(start, cut));
    start = cut;
  }
  parts.push(text.slice(start));
  return parts;
}

function addCuts(run: string, start: number, cuts: Set<number>): void {
  let at = 0;
  let codePoints = 0;
  for (const character of run) {
    if (codePoints > 0 && codePoints % MAX_RUN === 0) cuts.add(start + at);
    at += character.length;
    codePoints++;
  }
}
