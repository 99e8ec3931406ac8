import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Manifest } from '../runtime/manifest.js';
import { readChatTemplate } from './read-chat-template.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-template-'));
const manifest = (chat_template: string | null) =>
  ({
    tokenizer: { special_tokens: { '<|bos|>': 5, '<|end|>': 6 }, chat_template },
    bos_token_id: 5,
    eos_token_ids: [6],
  }) as unknown as Manifest;

function write(text: string): string {
  const file = join(folder, 'template.jinja');
  writeFileSync(file, text);
  return file;
}

it("takes the operator's template before the tokenizer's, with the tokenizer's special tokens", () => {
  const file = write('{{ bos_token }}{{ messages[0].content }}{{ eos_token }}');
  for (const own of [null, 'other'])
    expect(readChatTemplate(manifest(own), file).text).toContain('bos_token');
  expect(readChatTemplate(manifest('other'), undefined).text).toBe('other');
  expect(readChatTemplate(manifest(null), undefined).text).toContain('message.content');
});

it('says of the flag what is wrong with its file', () => {
  const missing = join(folder, 'none.jinja');
  expect(() => readChatTemplate(manifest(null), missing)).toThrow(
    /^--chat-template names .*none\.jinja, which cannot be read: ENOENT/,
  );
  expect(() => readChatTemplate(manifest('own'), write('{% for %}'))).toThrow(
    /^--chat-template names .*template\.jinja, which is no Jinja template: \w.*\.$/,
  );
});
