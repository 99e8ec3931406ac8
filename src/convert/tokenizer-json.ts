/**
 * A tokenizer.json of the byte-level BPE kind (Llama 3, GPT-2, SmolLM) as tiktoken ranks. Such a file lists merges,
 * pairs of tokens in order; tiktoken knows token ids only and merges any neighbours whose bytes make a token, lowest
 * id first. Both give the same ids where the ids are in merge order and each token is put together as its merge
 * says; that is checked for every token, and a file for which it does not hold is refused.
 */
import { z } from 'zod';
import { CalmError } from '../errors.js';
import { formatRanks, requireAllBytes } from '../tokenizer/ranks.js';
import { splitPattern } from './tokenizer-pattern.js';

/** What a package needs to know of a tokenizer. */
export interface RankedTokenizer {
  /** tiktoken's rank file. */
  readonly ranksFile: Buffer;
  /** Split pattern of the byte-level BPE. */
  readonly pattern: string;
  readonly specialTokens: Readonly<Record<string, number>>;
}

const tokenId = z.int().nonnegative();

const modelSchema = z.looseObject({
  type: z.string().nullish(),
  vocab: z.record(z.string(), tokenId),
  merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  ignore_merges: z.boolean().nullish(),
  byte_fallback: z.boolean().nullish(),
  dropout: z.number().nullish(),
  continuing_subword_prefix: z.string().nullish(),
  end_of_word_suffix: z.string().nullish(),
});
type BpeModel = z.infer<typeof modelSchema>;

const fileSchema = z.looseObject({
  normalizer: z.unknown().optional(),
  pre_tokenizer: z.unknown().optional(),
  model: z.looseObject({ type: z.string().nullish() }),
  added_tokens: z.array(z.looseObject({ id: tokenId, content: z.string() })).default([]),
});

type Pair = readonly [string, string];

/**
 * Turns a parsed tokenizer.json into ranks, split pattern and special tokens. All added tokens become special ones.
 * @param file named in messages.
 * @throws CalmError bad_tokenizer for another kind of tokenizer, or one whose ids tiktoken would not reproduce.
 */
export function convertTokenizerJson(json: unknown, file: string): RankedTokenizer {
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) throw bad(file, `it is no tokenizer.json (${firstIssue(parsed.error)})`);
  const { normalizer, pre_tokenizer, model, added_tokens } = parsed.data;
  requireNoNormalizer(normalizer, file);
  const bpe = bpeModel(model, file);
  const specialTokens = Object.fromEntries(added_tokens.map(({ content, id }) => [content, id]));
  const ordinary = new Map(
    Object.entries(bpe.vocab).filter(([token]) => !Object.hasOwn(specialTokens, token)),
  );
  const taken = new Set(ordinary.values());
  const shared = added_tokens.find(({ id }) => taken.has(id));
  if (shared) throw bad(file, `its added token ${JSON.stringify(shared.content)} shares its id ${shared.id}`);
  checkMerges(bpe, ordinary, file);
  return {
    ranksFile: ranksOf(ordinary, file),
    pattern: splitPattern(pre_tokenizer, file),
    specialTokens,
  };
}

function bpeModel(model: { type?: string | null | undefined }, file: string): BpeModel {
  const kind = model.type ?? 'BPE';
  if (kind !== 'BPE') throw bad(file, `it is of the kind ${kind}; only byte-level BPE is supported`);
  const parsed = modelSchema.safeParse(model);
  if (!parsed.success) throw bad(file, `its model is malformed (${firstIssue(parsed.error)})`);
  const bpe = parsed.data;
  if (bpe.byte_fallback) {
    throw bad(file, 'it is a SentencePiece tokenizer (byte_fallback); only byte-level BPE is supported');
  }
  if (bpe.dropout) throw bad(file, `it merges at random (dropout ${bpe.dropout})`);
  if (bpe.continuing_subword_prefix || bpe.end_of_word_suffix) {
    throw bad(file, 'it marks the parts of words (continuing_subword_prefix or end_of_word_suffix)');
  }
  return bpe;
}

function requireNoNormalizer(normalizer: unknown, file: string): void {
  if (normalizer == null) return;
  const { type, normalizers } = normalizer as { type?: unknown; normalizers?: unknown };
  if (type === 'Sequence' && Array.isArray(normalizers)) {
    for (const step of normalizers) requireNoNormalizer(step, file);
    return;
  }
  throw bad(file, `it changes the text before it splits it (normalizer ${JSON.stringify(type)})`);
}

/** @param vocabulary the ids of the tokens that merges make, without the special ones */
function checkMerges(bpe: BpeModel, vocabulary: ReadonlyMap<string, number>, file: string): void {
  const pairs = new Set<string>();
  let lastId = -1;
  for (const merge of bpe.merges) {
    const [left, right] = pairOf(merge, file);
    const id = vocabulary.get(left + right);
    if (id === undefined || !vocabulary.has(left) || !vocabulary.has(right)) {
      throw bad(file, `its merge of ${left} and ${right} uses a token that its vocabulary does not have`);
    }
    if (id < lastId) {
      throw bad(
        file,
        `its ids are not in the order of its merges (${left}${right} has the id ${id}, an earlier merge makes ` +
          `${lastId}), and tiktoken merges in the order of the ids`,
      );
    }
    lastId = id;
    pairs.add(`${left} ${right}`);
  }
  for (const [token, id] of vocabulary) {
    if (token.length > 1 && !isRegular(token, id, vocabulary, pairs, bpe.ignore_merges ?? false)) {
      throw bad(
        file,
        `its token ${JSON.stringify(token)} (id ${id}) is not what its merges make of that text, so tiktoken's ` +
          'ids would differ from this tokenizer',
      );
    }
  }
}

/** Whether merges below a token's own id leave exactly the pair that a merge makes it from. */
function isRegular(
  token: string,
  id: number,
  vocabulary: ReadonlyMap<string, number>,
  pairs: ReadonlySet<string>,
  ignoreMerges: boolean,
): boolean {
  const parts = mergeBelow(token, id, vocabulary);
  if (parts.length === 2) return pairs.has(parts.join(' '));
  // A token that no merge reaches stands for whole pieces only: with ignore_merges in both, else in tiktoken alone.
  return ignoreMerges;
}

/** tiktoken's merging of one piece with the tokens of ids below `limit`; characters stand for bytes. */
function mergeBelow(token: string, limit: number, vocabulary: ReadonlyMap<string, number>): string[] {
  const parts = [...token];
  const idOfPair = (at: number) => vocabulary.get(parts[at]! + parts[at + 1]!) ?? limit;
  // What each part and its right neighbour would make.
  const made = Array.from({ length: parts.length - 1 }, (_, at) => idOfPair(at));
  for (;;) {
    let at = -1;
    for (let index = 0; index < made.length; index++) {
      if (made[index]! < (at < 0 ? limit : made[at]!)) at = index;
    }
    if (at < 0) return parts;
    parts.splice(at, 2, parts[at]! + parts[at + 1]!);
    made.splice(at, 1);
    if (at < made.length) made[at] = idOfPair(at);
    if (at > 0) made[at - 1] = idOfPair(at - 1);
  }
}

function pairOf(merge: string | Pair, file: string): Pair {
  if (typeof merge !== 'string') return merge;
  const [left, right, rest] = merge.split(' ');
  if (!left || !right || rest !== undefined) throw bad(file, `its merge ${JSON.stringify(merge)} is no pair`);
  return [left, right];
}

function ranksOf(vocabulary: ReadonlyMap<string, number>, file: string): Buffer {
  const byteOf = new Map(byteCharacters().map((character, byte) => [character, byte]));
  const tokens = new Map<number, Uint8Array>();
  for (const [token, id] of vocabulary) {
    const bytes = Array.from(token, character => byteOf.get(character));
    if (bytes.length === 0 || bytes.includes(undefined)) {
      throw bad(file, `its token ${JSON.stringify(token)} is not spelled in GPT-2's letters for bytes`);
    }
    if (tokens.has(id)) throw bad(file, `two of its tokens have the id ${id}`);
    tokens.set(id, Uint8Array.from(bytes as number[]));
  }
  requireAllBytes(tokens, file);
  return formatRanks(tokens);
}

/** GPT-2's printable stand-in for each byte (gpt-2/src/encoder.py, bytes_to_unicode). */
function byteCharacters(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0]!;
  return `${issue.path.join('.')}: ${issue.message}`;
}

function bad(file: string, what: string): CalmError {
  return new CalmError('bad_tokenizer', `${file} cannot be turned into tiktoken ranks: ${what}.`);
}
