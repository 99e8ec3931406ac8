import { readFileSync } from 'node:fs';
import { crc32, gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { CalmError } from '../errors.js';
import { type Encoding, openEncoding } from '../tokenizer/encoding.js';
import { convertTokenizerJson } from './tokenizer-json.js';

// Made by make.py beside them with PyPI `tokenizers`.
const fixture = (name: string) =>
  readFileSync(new URL(`../../tests/fixtures/tokenizer/${name}`, import.meta.url));
const kinds = ['llama-3', 'gpt-2', 'smollm'] as const;
type Kind = (typeof kinds)[number];
const checksums = JSON.parse(fixture('checksums.json').toString()) as Record<Kind, number>;

interface TokenizerJson {
  normalizer: unknown;
  pre_tokenizer: unknown;
  added_tokens: { id: number; content: string }[];
  model: {
    type: string;
    vocab: Record<string, number>;
    merges: [string, string][];
    [option: string]: unknown;
  };
}
const jsonOf = (kind: Kind) => JSON.parse(gunzipSync(fixture(`${kind}.json.gz`)).toString()) as TokenizerJson;

function encodingOf(kind: Kind): Encoding {
  const { ranksFile, pattern, specialTokens } = convertTokenizerJson(jsonOf(kind), 'tokenizer.json');
  return openEncoding({ ranks: ranksFile, pattern, specialTokens });
}

/** A line's text, and for each tokenizer the byte lengths of its tokens. */
interface ExpectedLine {
  readonly text: string;
  readonly lengths: readonly number[][];
}

/** Format: see make.py. */
function readLines(): ExpectedLine[] {
  const lines: ExpectedLine[] = [];
  let bytes: number[] = [];
  let lengths: number[][] = kinds.map(() => []);
  let starts = kinds.map(() => 0);
  for (const byte of gunzipSync(fixture('lines.bin.gz'))) {
    if (byte < 0xf8) bytes.push(byte);
    else if (byte === 0xf8) {
      lines.push({ text: Buffer.from(bytes).toString('utf8'), lengths });
      bytes = [];
      lengths = kinds.map(() => []);
      starts = kinds.map(() => 0);
    } else {
      for (const index of kinds.keys()) {
        if ((byte & (1 << index)) === 0) continue;
        lengths[index]!.push(bytes.length - starts[index]!);
        starts[index] = bytes.length;
      }
    }
  }
  return lines;
}

describe('against the tokenizers library', () => {
  const lines = readLines();

  test.each(kinds)('%s gives the same ids on 10,000 lines in many scripts', kind => {
    const encoding = encodingOf(kind);
    const allIds: number[] = [];
    const differing = lines.filter(({ text, lengths }) => {
      const ids = encoding.encode(text);
      allIds.push(...ids);
      const ends = ids.map(id => encoding.tokenBytes(id).length);
      return ends.join() !== lengths[kinds.indexOf(kind)]!.join() || encoding.decode(ids) !== text;
    });
    expect(differing).toEqual([]);
    expect(lines).toHaveLength(10_000);
    expect(crc32(Buffer.from(Uint32Array.from(allIds).buffer))).toBe(checksums[kind]);
    encoding.close();
  });

  test('added tokens become special tokens', () => {
    expect(convertTokenizerJson(jsonOf('llama-3'), 'f').specialTokens).toEqual({
      '<|begin_of_text|>': 2000,
      '<|end_of_text|>': 2001,
      '[PAD]': 2002,
    });
    expect(convertTokenizerJson(jsonOf('smollm'), 'f').specialTokens).toEqual({
      '<|endoftext|>': 0,
      '<|im_start|>': 1,
      '<|im_end|>': 2,
    });
  });
});

describe('what tiktoken cannot reproduce is refused', () => {
  type Edit = (json: TokenizerJson) => void;
  const lastOf = (json: TokenizerJson) => json.model.merges.length - 1;
  const cases: [string, Edit, RegExp][] = [
    ['WordPiece', json => Object.assign(json.model, { type: 'WordPiece' }), /kind WordPiece/],
    ['Unigram', json => Object.assign(json.model, { type: 'Unigram' }), /kind Unigram/],
    ['SentencePiece BPE', json => Object.assign(json.model, { byte_fallback: true }), /SentencePiece/],
    ['dropout', json => Object.assign(json.model, { dropout: 0.1 }), /dropout 0.1/],
    ['word ends', json => Object.assign(json.model, { end_of_word_suffix: '</w>' }), /end_of_word_suffix/],
    ['a normalizer', json => Object.assign(json, { normalizer: { type: 'NFC' } }), /normalizer "NFC"/],
    [
      'a normalizer in a sequence',
      json => Object.assign(json, { normalizer: { type: 'Sequence', normalizers: [{ type: 'Lowercase' }] } }),
      /normalizer "Lowercase"/,
    ],
    ['no pre-tokenizer', json => Object.assign(json, { pre_tokenizer: null }), /pre-tokenizer \(none\)/],
    [
      'a foreign pre-tokenizer',
      json => Object.assign(json, { pre_tokenizer: { type: 'Metaspace' } }),
      /step "Metaspace"/,
    ],
    [
      'a space in front',
      json => Object.assign(json, { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true } }),
      /add_prefix_space/,
    ],
    [
      'two splits',
      json => {
        const { pretokenizers } = json.pre_tokenizer as { pretokenizers: unknown[] };
        pretokenizers.unshift(pretokenizers[0]);
      },
      /Split \+ Split \+ ByteLevel/,
    ],
    [
      'a split that keeps what does not match',
      json => {
        const { pretokenizers } = json.pre_tokenizer as { pretokenizers: { behavior: string }[] };
        pretokenizers[0]!.behavior = 'Removed';
      },
      /behavior Removed/,
    ],
    [
      'merges out of order',
      json => {
        const { merges } = json.model;
        [merges[10], merges[20]] = [merges[20]!, merges[10]!];
      },
      /ids are not in the order of its merges/,
    ],
    [
      'a missing merge',
      json => Object.assign(json.model, { merges: json.model.merges.slice(0, -1) }),
      /is not what its merges make/,
    ],
    [
      'another pair for the same token',
      json => {
        // The last merge of three or more letters, cut elsewhere into parts that are tokens too.
        const { merges, vocab } = json.model;
        for (let at = lastOf(json); ; at--) {
          const [left, right] = merges[at]!;
          const token = left + right;
          const cut = [...token.slice(1)].findIndex(
            (_, index) =>
              index + 1 !== left.length &&
              token.slice(0, index + 1) in vocab &&
              token.slice(index + 1) in vocab,
          );
          if (cut >= 0) {
            merges[at] = [token.slice(0, cut + 1), token.slice(cut + 1)];
            return;
          }
        }
      },
      /is not what its merges make/,
    ],
    [
      'a merge of something unknown',
      json => json.model.merges.push(['q', 'qqqq']),
      /merge of q and qqqq uses a token that its vocabulary does not have/,
    ],
    ['letters that are no bytes', json => Object.assign(json.model.vocab, { 漢: 5000 }), /letters for bytes/],
    [
      'an id used twice',
      json => json.added_tokens.push({ id: json.model.vocab.a!, content: '<|x|>' }),
      /added token "<\|x\|>" shares its id/,
    ],
    ['a byte without a token', json => void delete json.model.vocab.ÿ, /no token for the byte 0xff/],
    ['something else', json => Object.assign(json, { model: 5 }), /no tokenizer\.json \(model/],
  ];

  test.each(cases)('%s', (_, edit, sentence) => {
    const json = jsonOf('llama-3');
    edit(json);
    let error: unknown;
    try {
      convertTokenizerJson(json, 'tokenizer.json');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CalmError);
    expect((error as CalmError).code).toBe('bad_tokenizer');
    expect((error as CalmError).message).toMatch(sentence);
  });

  test('a token that no merge reaches is allowed only where whole pieces need no merges', () => {
    const withUnreachable = (kind: Kind) => {
      const json = jsonOf(kind);
      json.model.vocab['Ã\u0100Ã\u0100'] = 5000;
      return () => convertTokenizerJson(json, 'f');
    };
    expect(withUnreachable('gpt-2')).toThrow(/id 5000\) is not what its merges make/);
    expect(withUnreachable('llama-3')().ranksFile.toString()).toContain('wwDDAA== 5000');
  });

  test('merges may be written as text', () => {
    const json = jsonOf('gpt-2');
    const asText = {
      ...json,
      model: { ...json.model, merges: json.model.merges.map(pair => pair.join(' ')) },
    };
    expect(convertTokenizerJson(asText, 'f')).toEqual(convertTokenizerJson(json, 'f'));
  });
});
