/**
 * tiktoken's rank file: a line for each token, its bytes in base64 and its id. The id is the rank too: of all
 * neighbours whose bytes together make a token, the pair with the lowest rank is merged first.
 */
import { CalmError } from '../errors.js';

/** Token bytes by id. */
export type RankedTokens = ReadonlyMap<number, Uint8Array>;

/** Ids index arrays; this is far above every vocabulary in use. */
const MAX_ID = 1 << 22;
const LINE = /^((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?) (\d+)$/;

/**
 * Reads a rank file and checks it: every line well formed, no id and no token twice, all 256 single bytes there
 * (so that every text can be encoded).
 * @param name of the file, for messages.
 * @throws CalmError bad_tokenizer
 */
export function parseRanks(file: Buffer, name: string): RankedTokens {
  const tokens = new Map<number, Uint8Array>();
  const seen = new Set<string>();
  const lines = file.toString('latin1').split('\n');
  for (const [index, raw] of lines.entries()) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line === '') continue;
    const match = LINE.exec(line);
    if (match === null || match[1] === '') {
      throw new CalmError(
        'bad_tokenizer',
        `${name} is not a rank file of tiktoken: its line ${index + 1} is not "<base64> <rank>".`,
      );
    }
    const [, base64, digits] = match as unknown as [string, string, string];
    const id = Number(digits);
    if (id >= MAX_ID || tokens.has(id) || seen.has(base64)) {
      const what = id >= MAX_ID ? 'an id beyond all use' : 'an id or a token that came before';
      throw new CalmError('bad_tokenizer', `${name} has ${what} in line ${index + 1} (${line}).`);
    }
    seen.add(base64);
    tokens.set(id, Buffer.from(base64, 'base64'));
  }
  requireAllBytes(tokens, name);
  return tokens;
}

/** Writes a rank file, ordered by id. */
export function formatRanks(tokens: RankedTokens): Buffer {
  const ordered = [...tokens].sort(([a], [b]) => a - b);
  return Buffer.from(
    ordered.map(([id, bytes]) => `${Buffer.from(bytes).toString('base64')} ${id}\n`).join(''),
  );
}

/** @throws CalmError bad_tokenizer where a byte has no token: tiktoken would fail on text with it. */
export function requireAllBytes(tokens: RankedTokens, name: string): void {
  const there = new Uint8Array(256);
  for (const bytes of tokens.values()) if (bytes.length === 1) there[bytes[0]!] = 1;
  const missing = there.indexOf(0);
  if (missing >= 0) {
    throw new CalmError(
      'bad_tokenizer',
      `${name} has no token for the byte 0x${missing.toString(16).padStart(2, '0')}, so it cannot encode every text.`,
    );
  }
}
