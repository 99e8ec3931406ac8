/** Finds the tokenizer of a checkpoint and turns it into what a model package stores. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CalmError } from '../errors.js';
import { parseRanks, type RankedTokens } from '../tokenizer/ranks.js';
import { convertTokenizerJson, type RankedTokenizer } from './tokenizer-json.js';
import { LLAMA_3_PATTERN } from './tokenizer-pattern.js';

/** A checkpoint's tokenizer. */
export interface ResolvedTokenizer extends RankedTokenizer {
  /** Where the tokenizer's files give the ids themselves; the model's configuration is silent or agrees. */
  readonly bosId?: number;
  readonly eosIds?: readonly number[];
  /** Jinja template of a conversation. */
  readonly chatTemplate?: string;
}

const tokenText = z.union([
  z.string(),
  z.looseObject({ content: z.string() }).transform(token => token.content),
]);
const namedTemplates = z.array(z.looseObject({ name: z.string(), template: z.string() }));

const configSchema = z.looseObject({
  bos_token: tokenText.nullish(),
  eos_token: tokenText.nullish(),
  pad_token: tokenText.nullish(),
  bos_token_id: z.int().nonnegative().nullish(),
  eos_token_id: z.int().nonnegative().nullish(),
  pad_token_id: z.int().nonnegative().nullish(),
  /** Split pattern; this project's trainer writes it beside its rank file. */
  pattern: z.string().nullish(),
  added_tokens_decoder: z.record(z.string(), z.looseObject({ content: z.string() })).nullish(),
  chat_template: z.union([z.string(), namedTemplates]).nullish(),
});
type TokenizerConfig = z.infer<typeof configSchema>;

/** Files of tokenizers that are not supported, so that a folder with one is not taken for one without any. */
const otherKinds: Readonly<Record<string, string>> = {
  'spiece.model': 'a SentencePiece model',
  'sentencepiece.bpe.model': 'a SentencePiece model',
  'vocab.txt': 'a WordPiece vocabulary',
  'merges.txt': 'a GPT-2 tokenizer in two files; load it with transformers and save it as tokenizer.json',
};

const LLAMA_3_RANKS = 128_000;

/**
 * Reads `tokenizer.model` (tiktoken ranks) or `tokenizer.json` (byte-level BPE) of a checkpoint folder, with
 * `tokenizer_config.json` beside it; null where the folder has no tokenizer.
 * @param overrideFile such a file, or a folder with one, from elsewhere.
 * @throws CalmError bad_tokenizer for a file that is missing, damaged or of another kind.
 */
export function resolveTokenizer(checkpointDir: string, overrideFile?: string): ResolvedTokenizer | null {
  if (overrideFile === undefined) return fromFolder(checkpointDir);
  const status = statSync(overrideFile, { throwIfNoEntry: false });
  if (status?.isFile()) return fromFile(overrideFile);
  const found = status?.isDirectory() ? fromFolder(overrideFile) : null;
  if (found === null) {
    throw new CalmError(
      'bad_tokenizer',
      `There is no tokenizer at ${overrideFile}: name a tokenizer.model with tiktoken ranks or a tokenizer.json.`,
      { param: 'tokenizer' },
    );
  }
  return found;
}

function fromFolder(dir: string): ResolvedTokenizer | null {
  const ranks = join(dir, 'tokenizer.model');
  const json = join(dir, 'tokenizer.json');
  const hasJson = existsSync(json);
  if (existsSync(ranks) && !(hasJson && isBinary(readFileSync(ranks)))) return fromFile(ranks);
  if (hasJson) return fromFile(json);
  const other = Object.keys(otherKinds).find(name => existsSync(join(dir, name)));
  if (other !== undefined) throw bad(join(dir, other), `it is ${otherKinds[other]}`);
  return null;
}

function fromFile(file: string): ResolvedTokenizer {
  const content = readFileSync(file);
  const config = readConfig(dirname(file));
  const tokenizer = file.endsWith('.json')
    ? convertTokenizerJson(parseJson(content, file), file)
    : fromRanks(content, config, file);
  const chatTemplate = readChatTemplate(dirname(file), config);
  return {
    ...tokenizer,
    ...(config.bos_token_id == null ? {} : { bosId: config.bos_token_id }),
    ...(config.eos_token_id == null ? {} : { eosIds: [config.eos_token_id] }),
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
  };
}

function fromRanks(content: Buffer, config: TokenizerConfig, file: string): RankedTokenizer {
  if (isBinary(content))
    throw bad(file, 'it is binary, which a SentencePiece model is and tiktoken ranks are not');
  const tokens = parseRanks(content, file);
  const isLlama3 = tokens.size === LLAMA_3_RANKS && config.pattern == null;
  const pattern = config.pattern ?? (isLlama3 ? LLAMA_3_PATTERN : undefined);
  if (pattern === undefined) {
    throw bad(file, 'its split pattern is not known; write it into tokenizer_config.json as "pattern"');
  }
  const named = specialTokens(config);
  const special = isLlama3 && Object.keys(named).length === 0 ? llama3SpecialTokens() : named;
  refuseSharedIds(special, tokens, file);
  return { ranksFile: content, pattern, specialTokens: special };
}

/** All special tokens that the configuration gives an id. */
function specialTokens(config: TokenizerConfig): Record<string, number> {
  const special: Record<string, number> = {};
  for (const [id, { content }] of Object.entries(config.added_tokens_decoder ?? {}))
    special[content] = Number(id);
  const named = [
    [config.bos_token, config.bos_token_id],
    [config.eos_token, config.eos_token_id],
    [config.pad_token, config.pad_token_id],
  ] as const;
  for (const [text, id] of named) if (text != null && id != null) special[text] = id;
  return special;
}

/** The 256 special tokens of Llama 3, after its ranks, in the order of llama3/tokenizer.py. */
function llama3SpecialTokens(): Record<string, number> {
  const reserved = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => `<|reserved_special_token_${from + index}|>`);
  const names = [
    '<|begin_of_text|>',
    '<|end_of_text|>',
    ...reserved(0, 4),
    '<|start_header_id|>',
    '<|end_header_id|>',
    ...reserved(4, 5),
    '<|eot_id|>',
    ...reserved(5, 251),
  ];
  return Object.fromEntries(names.map((name, index) => [name, LLAMA_3_RANKS + index]));
}

function refuseSharedIds(
  special: Readonly<Record<string, number>>,
  tokens: RankedTokens,
  file: string,
): void {
  for (const [text, id] of Object.entries(special)) {
    if (tokens.has(id))
      throw bad(file, `the special token ${JSON.stringify(text)} has the id ${id} of a rank`);
  }
}

function readConfig(dir: string): TokenizerConfig {
  const file = join(dir, 'tokenizer_config.json');
  if (!existsSync(file)) return {};
  const config = configSchema.safeParse(parseJson(readFileSync(file), file));
  if (config.success) return config.data;
  const issue = config.error.issues[0]!;
  throw bad(file, `${issue.path.join('.')} is not what it should be: ${issue.message}`);
}

function readChatTemplate(dir: string, config: TokenizerConfig): string | undefined {
  const file = join(dir, 'chat_template.jinja');
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const template = config.chat_template;
  if (typeof template === 'string') return template;
  return template?.find(({ name }) => name === 'default')?.template;
}

function parseJson(content: Buffer, file: string): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch (cause) {
    throw bad(file, `it is not valid JSON: ${(cause as Error).message}`, cause);
  }
}

/** Rank files are ASCII; a SentencePiece model is a protocol buffer and begins with control bytes. */
function isBinary(content: Buffer): boolean {
  return content
    .subarray(0, 1024)
    .some(byte => byte > 0x7e || (byte < 0x20 && byte !== 0x0a && byte !== 0x0d));
}

function bad(file: string, what: string, cause?: unknown): CalmError {
  return new CalmError(
    'bad_tokenizer',
    `${file} is no tokenizer that can be used: ${what}. Supported are tiktoken ranks (tokenizer.model) and a ` +
      'tokenizer.json of the byte-level BPE kind.',
    cause === undefined ? {} : { cause },
  );
}
