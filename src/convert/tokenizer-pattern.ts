/** The pre-tokenizer of a tokenizer.json, which may be several steps, as the one split pattern that tiktoken takes. */
import { z } from 'zod';
import { CalmError } from '../errors.js';

/** GPT-2's pattern: what `ByteLevel` with `use_regex` splits by (tokenizers, pre_tokenizers/byte_level.rs). */
const GPT_2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Llama 3's pattern (llama3/tokenizer.py), for its rank file, beside which no pattern is written down. */
export const LLAMA_3_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/**
 * GPT-2's pattern on what remains once numbers stand alone. The text that it sees ends before each number, so white
 * space in front of a number is not left to it, as it is before a word.
 */
const gpt2PatternAround = (numbers: string) =>
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+|\\s+(?![^\\s\\p{N}])|\\s+`;

const stepSchema = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('ByteLevel'),
    add_prefix_space: z.boolean().default(true),
    use_regex: z.boolean().default(true),
  }),
  z.looseObject({ type: z.literal('Digits'), individual_digits: z.boolean().default(false) }),
  z.looseObject({
    type: z.literal('Split'),
    pattern: z.union([z.strictObject({ Regex: z.string() }), z.strictObject({ String: z.string() })]),
    behavior: z.string(),
    invert: z.boolean().default(false),
  }),
]);
type Step = z.infer<typeof stepSchema>;

const sequenceSchema = z.looseObject({ type: z.literal('Sequence'), pretokenizers: z.array(z.unknown()) });

/**
 * The split pattern of a pre-tokenizer. Supported are `ByteLevel`, `Split` + `ByteLevel` and `Digits` + `ByteLevel`.
 * @throws CalmError bad_tokenizer for any other, naming it.
 */
export function splitPattern(preTokenizer: unknown, file: string): string {
  const steps = flatten(preTokenizer, file);
  const last = steps.at(-1);
  if (last?.type === 'ByteLevel' && last.add_prefix_space) {
    throw bad(file, 'its pre-tokenizer puts a space in front of every text (add_prefix_space)');
  }
  const [first] = steps;
  if (last?.type === 'ByteLevel' && first !== undefined) {
    if (steps.length === 1 && last.use_regex) return GPT_2_PATTERN;
    if (steps.length === 2 && first.type === 'Split' && !last.use_regex) return regexOf(first, file);
    if (steps.length === 2 && first.type === 'Digits' && last.use_regex) {
      return gpt2PatternAround(first.individual_digits ? '\\p{N}' : '\\p{N}+');
    }
  }
  const names = steps.map(step => step.type).join(' + ') || 'none';
  throw bad(
    file,
    `its pre-tokenizer (${names}) is none of ByteLevel, Split + ByteLevel without regex, Digits + ByteLevel`,
  );
}

function flatten(preTokenizer: unknown, file: string): Step[] {
  if (preTokenizer == null) return [];
  const sequence = sequenceSchema.safeParse(preTokenizer);
  if (sequence.success) return sequence.data.pretokenizers.flatMap(step => flatten(step, file));
  const step = stepSchema.safeParse(preTokenizer);
  if (step.success) return [step.data];
  const type = (preTokenizer as { type?: unknown }).type;
  throw bad(file, `its pre-tokenizer step ${JSON.stringify(type ?? preTokenizer)} is not supported`);
}

/** tiktoken keeps what a pattern matches: `Isolated`, if everything matches, or `Removed` of all but the matches. */
function regexOf(step: Extract<Step, { type: 'Split' }>, file: string): string {
  const keepsMatches =
    (step.behavior === 'Isolated' && !step.invert) || (step.behavior === 'Removed' && step.invert);
  if (!keepsMatches || !('Regex' in step.pattern)) {
    throw bad(
      file,
      `its Split step (${JSON.stringify(step.pattern)}, behavior ${step.behavior}, invert ${step.invert}) is not ` +
        'a regular expression whose matches are the pieces',
    );
  }
  return step.pattern.Regex;
}

function bad(file: string, what: string): CalmError {
  return new CalmError('bad_tokenizer', `${file} cannot be turned into a tiktoken encoding: ${what}.`);
}
