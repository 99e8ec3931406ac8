import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readDocuments } from './documents.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-documents-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

it('splits plain text at separator lines and drops what is empty', () => {
  const text = 'One.\nTwo.\n\n<|endoftext|>\r\n  <|endoftext|> inside\n<|endoftext|>\n \n<|endoftext|>\nLast';
  expect(readDocuments(file('a.txt', text))).toEqual(['One.\nTwo.', '<|endoftext|> inside', 'Last']);
});

it('reads a text from each line of JSON', () => {
  const text = '{"text": "a\\nb", "id": 1}\n\n{"text": " "}\n{"text": "c"}\n';
  expect(readDocuments(file('a.jsonl', text))).toEqual(['a\nb', 'c']);
  expect(readDocuments(file('b.json', text))).toEqual(['a\nb', 'c']);
});

it.each<[string, string | Uint8Array | null, RegExp]>([
  [
    'missing.txt',
    null,
    /^The file .*missing\.txt does not exist; name a \.txt or \.jsonl file with --data\.$/,
  ],
  ['empty.txt', '', /^The file .*empty\.txt holds no text; /],
  ['blank.txt', '\n<|endoftext|>\n \n', /holds no text; /],
  ['latin.txt', Uint8Array.of(0x63, 0x61, 0x66, 0xe9), /^The file .*latin\.txt is not UTF-8 text; /],
  ['packed.txt', Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), /is not UTF-8 text; .*unpack it/],
  ['wrong.jsonl', '{"text": "a"}\n{"text"', /^Line 2 of .*wrong\.jsonl is not valid JSON; /],
  ['other.jsonl', '{"content": "a"}', /^Line 1 of .*other\.jsonl is no object with a string "text"\.$/],
])('refuses %s with one sentence', (name, content, sentence) => {
  const path = content === null ? join(folder, name) : file(name, content);
  expect(() => readDocuments(path)).toThrow(sentence);
});
