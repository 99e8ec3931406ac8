import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { byteRanks, TEST_PATTERN } from '../../tests/byte-encoding.js';
import { CalmError } from '../errors.js';
import { openEncoding } from '../tokenizer/encoding.js';
import { resolveTokenizer } from './tokenizer-files.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'calm-tokenizer-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const put = (name: string, content: object | Uint8Array | string) => {
  const isBytes = content instanceof Uint8Array || typeof content === 'string';
  writeFileSync(join(dir, name), isBytes ? content : JSON.stringify(content));
  return join(dir, name);
};
const gpt2 = () =>
  gunzipSync(readFileSync(new URL('../../tests/fixtures/tokenizer/gpt-2.json.gz', import.meta.url)));
const sentencePiece = Buffer.from([0x0a, 0x0e, 0x0a, 0x05, 0x3c, 0x75, 0x6e, 0x6b, 0x3e, 0x15, 0, 0, 0, 0]);

/** What this project's trainer writes beside its ranks. */
const trainerConfig = {
  bos_token: '<|begin_of_text|>',
  eos_token: '<|end_of_text|>',
  pad_token: '<|pad|>',
  bos_token_id: 258,
  eos_token_id: 259,
  pad_token_id: 260,
  pattern: TEST_PATTERN,
};

function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(CalmError);
    expect((error as CalmError).code).toBe('bad_tokenizer');
    return (error as CalmError).message;
  }
  throw new Error('expected a CalmError');
}

describe('tiktoken ranks', () => {
  test('with the configuration of the trainer', () => {
    const ranksFile = byteRanks(['he', 'llo']);
    put('tokenizer.model', ranksFile);
    put('tokenizer_config.json', trainerConfig);
    const tokenizer = resolveTokenizer(dir)!;
    expect(tokenizer).toEqual({
      ranksFile,
      pattern: TEST_PATTERN,
      specialTokens: { '<|begin_of_text|>': 258, '<|end_of_text|>': 259, '<|pad|>': 260 },
      bosId: 258,
      eosIds: [259],
    });
    const encoding = openEncoding({ ...tokenizer, ranks: tokenizer.ranksFile });
    expect(encoding.encode('he<|pad|>', { allowSpecial: true })).toEqual([256, 260]);
    encoding.close();
  });

  test('of Llama 3, which come alone, get its pattern and its 256 special tokens', () => {
    const words = Array.from({ length: 128_000 - 256 }, (_, index) => `w${index}`);
    put('tokenizer.model', byteRanks(words));
    const tokenizer = resolveTokenizer(dir)!;
    expect(tokenizer.pattern).toContain('\\p{N}{1,3}');
    expect(tokenizer.specialTokens).toMatchObject({
      '<|begin_of_text|>': 128_000,
      '<|end_of_text|>': 128_001,
      '<|start_header_id|>': 128_006,
      '<|end_header_id|>': 128_007,
      '<|eot_id|>': 128_009,
      '<|reserved_special_token_250|>': 128_255,
    });
    expect(new Set(Object.values(tokenizer.specialTokens)).size).toBe(256);
    expect(tokenizer).not.toHaveProperty('bosId');
  });

  test('take special tokens from added_tokens_decoder too', () => {
    put('tokenizer.model', byteRanks());
    put('tokenizer_config.json', {
      pattern: TEST_PATTERN,
      bos_token: { content: '<s>', lstrip: false },
      added_tokens_decoder: { 256: { content: '<s>' }, 257: { content: '</s>' } },
    });
    expect(resolveTokenizer(dir)?.specialTokens).toEqual({ '<s>': 256, '</s>': 257 });
  });

  test('without a known pattern are refused', () => {
    put('tokenizer.model', byteRanks());
    expect(message(() => resolveTokenizer(dir))).toMatch(
      /split pattern is not known.*tokenizer_config\.json/,
    );
  });

  test('that are damaged, or share an id with a special token, are refused', () => {
    put('tokenizer_config.json', { ...trainerConfig, bos_token_id: 5 });
    put('tokenizer.model', byteRanks());
    expect(message(() => resolveTokenizer(dir))).toMatch(/<\|begin_of_text\|>.*id 5 of a rank/);
    put('tokenizer.model', 'hello\n');
    expect(message(() => resolveTokenizer(dir))).toMatch(/line 1 is not "<base64> <rank>"/);
    put('tokenizer.model', '');
    expect(message(() => resolveTokenizer(dir))).toMatch(/no token for the byte/);
  });
});

describe('which file is taken', () => {
  test('none: null', () => {
    put('config.json', {});
    expect(resolveTokenizer(dir)).toBeNull();
  });

  test('tokenizer.json, where tokenizer.model is a SentencePiece model', () => {
    put('tokenizer.model', sentencePiece);
    put('tokenizer.json', gpt2());
    expect(resolveTokenizer(dir)?.specialTokens).toEqual({ '<|endoftext|>': 1500 });
  });

  test('a file, or a folder, from elsewhere goes first', () => {
    put('tokenizer.model', byteRanks());
    put('tokenizer_config.json', trainerConfig);
    mkdirSync(join(dir, 'other'));
    const file = put('other/tokenizer.json', gpt2());
    const wanted = { '<|endoftext|>': 1500 };
    expect(resolveTokenizer(dir, file)?.specialTokens).toEqual(wanted);
    expect(resolveTokenizer(dir, join(dir, 'other'))?.specialTokens).toEqual(wanted);
    expect(resolveTokenizer(dir, file)).not.toHaveProperty('bosId');
  });

  test('one that is not there is named', () => {
    expect(message(() => resolveTokenizer(dir, join(dir, 'absent.json')))).toContain('absent.json');
    mkdirSync(join(dir, 'empty'));
    expect(message(() => resolveTokenizer(dir, join(dir, 'empty')))).toContain('no tokenizer at');
  });

  test.each([
    ['tokenizer.model', sentencePiece, /SentencePiece/],
    ['spiece.model', sentencePiece, /SentencePiece/],
    ['vocab.txt', '[PAD]\n[UNK]\n', /WordPiece/],
    ['merges.txt', '#version: 0.2\n', /save it as tokenizer\.json/],
    ['tokenizer.json', '{', /not valid JSON/],
    ['tokenizer.json', '{"model": {"type": "Unigram"}}', /kind Unigram/],
  ])('%s of another kind is refused', (name, content, sentence) => {
    put(name, content);
    expect(message(() => resolveTokenizer(dir))).toMatch(sentence);
  });

  test('a malformed tokenizer_config.json is named', () => {
    put('tokenizer.json', gpt2());
    put('tokenizer_config.json', { bos_token_id: 'x' });
    expect(message(() => resolveTokenizer(dir))).toMatch(/tokenizer_config\.json.*bos_token_id/);
  });
});

describe('the chat template', () => {
  beforeEach(() => put('tokenizer.json', gpt2()));

  test('comes from the configuration, alone or as the default of several', () => {
    put('tokenizer_config.json', { chat_template: 'one' });
    expect(resolveTokenizer(dir)?.chatTemplate).toBe('one');
    const several = [
      { name: 'tool_use', template: 'two' },
      { name: 'default', template: 'three' },
    ];
    put('tokenizer_config.json', { chat_template: several });
    expect(resolveTokenizer(dir)?.chatTemplate).toBe('three');
  });

  test('or from a file of its own', () => {
    put('chat_template.jinja', 'four');
    expect(resolveTokenizer(dir)?.chatTemplate).toBe('four');
  });

  test('or there is none', () => {
    expect(resolveTokenizer(dir)).not.toHaveProperty('chatTemplate');
  });
});
