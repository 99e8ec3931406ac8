/**
 * Finds NaN and Infinity where a JSON text has them bare, as Python's json.dumps writes them: JSON has no such numbers,
 * and the parser's own message does not say which field has one.
 */

/** A number that JSON does not have, and the field of the outermost object that has it. */
export interface BareNumber {
  /** As it is written. */
  readonly word: string;
  readonly field: string;
}

/** Fields of longer names are none of this API's. */
const LONGEST_NAME = 64;

/** The first bare number in an object; null where there is none, or the text has other faults as well. */
export function findBareNumber(text: string): BareNumber | null {
  const marks = /["{}[\]]|-?(?:NaN|Infinity)/g;
  let first: BareNumber | null = null;
  /** The text with zeros for bare numbers, as far as `copied`. */
  let repaired = '';
  let copied = 0;
  let depth = 0;
  let name = '';
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    const [word] = mark;
    if (word === '"') {
      const end = endOfString(text, mark.index);
      if (depth === 1 && /^\s*:/.test(text.slice(end, end + LONGEST_NAME)))
        name = text.slice(mark.index, end);
      marks.lastIndex = end;
    } else if (word === '{' || word === '[') depth += 1;
    else if (word === '}' || word === ']') depth -= 1;
    else {
      first ??= { word, field: name };
      repaired += `${text.slice(copied, mark.index)}0`;
      copied = marks.lastIndex;
    }
  }
  if (first === null || first.field.length > LONGEST_NAME || !isJson(repaired + text.slice(copied)))
    return null;
  return isJson(first.field) ? { ...first, field: String(JSON.parse(first.field)) } : null;
}

/** Just behind the string that begins at `start`; the end of the text where it has no end. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
