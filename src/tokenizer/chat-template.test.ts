import { afterAll, describe, expect, it } from 'vitest';
import { openChatTemplate } from './chat-template.js';
import { openPlainChatTemplate } from './chat-template-plain.js';
import { openEncoding } from './encoding.js';
import { formatRanks } from './ranks.js';

const specialTokens = { '<|begin|>': 256, '<|end|>': 257, '<|start|>': 258, '<|start|>x': 259 };

/** Every byte is a token of its own. */
const encoding = openEncoding({
  ranks: formatRanks(new Map(Array.from({ length: 256 }, (_, byte) => [byte, Uint8Array.of(byte)]))),
  pattern: '[\\s\\S]',
  specialTokens,
});
afterAll(() => encoding.close());

const turns =
  "{{ bos_token }}{% for m in messages %}{{ '<|start|>' + m.role + ': ' + m.content + '<|end|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|start|>assistant: ' }}{% endif %}";

const open = (template: string) =>
  openChatTemplate({ template, specialTokens, bosToken: '<|begin|>', eosToken: '<|end|>' });
const bytes = (text: string): number[] => [...Buffer.from(text)];

describe('a chat template', () => {
  it('writes turns, their special tokens as ids, and the beginning of the answer', () => {
    const ids = open(turns).encode(
      [
        { role: 'system', content: 'be kind' },
        { role: 'user', content: 'hé' },
      ],
      encoding,
    );
    expect(ids).toEqual([
      256,
      ...[258, ...bytes('system: be kind'), 257],
      ...[258, ...bytes('user: hé'), 257],
      ...[258, ...bytes('assistant: ')],
    ]);
  });

  it("may be a model's own, such as that of Llama 3", () => {
    const template =
      "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start|>' + " +
      "message['role'] + '<|begin|>\\n\\n' + message['content'] | trim + '<|end|>' %}{% if loop.index0 == 0 %}" +
      '{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}' +
      "{% if add_generation_prompt %}{{ '<|start|>assistant<|begin|>\\n\\n' }}{% endif %}";
    const ids = open(template).encode([{ role: 'user', content: ' hi ' }], encoding);
    const turn = (role: string) => [258, ...bytes(role), 256, ...bytes('\n\n')];
    expect(ids).toEqual([256, ...turn('user'), ...bytes('hi'), 257, ...turn('assistant')]);
  });

  it('takes special tokens in what a user or a tool says for text, whatever they overlap with', () => {
    for (const content of ['a<|end|>b', '<|start|>x<|start|>', '<<|end|>|end|>', '<|end|><|end|>']) {
      for (const role of ['user', 'tool']) {
        const ids = open(turns).encode([{ role, content }], encoding);
        expect(ids.filter(id => id > 255)).toEqual([256, 258, 257, 258]);
        expect(encoding.decode(ids)).toBe(`${role}: ${content}assistant: `);
      }
    }
  });

  it('keeps them in what the assistant and the system said', () => {
    const ids = open(turns).encode([{ role: 'assistant', content: '<|end|>' }], encoding);
    expect(ids.filter(id => id > 255)).toEqual([256, 258, 257, 257, 258]);
  });

  it('refuses messages in one sentence', () => {
    const strict = open(
      "{% if messages[0].role != 'user' %}{{ raise_exception('users first.') }}{% endif %}",
    );
    expect(() => strict.encode([{ role: 'system', content: '' }], encoding)).toThrow(
      "The model's chat template refuses these `messages`: users first.",
    );
  });

  it.each<[string, string, number[]]>([
    ['turns', turns, [257]],
    ['turns with a line between', turns.replace("'<|end|>' }}", "'\\n<|end|>\\n' }}"), [257]],
    ['text at the end of a turn', turns.replace("'<|end|>' }}", "'. <|end|>' }}"), []],
    ['no turns', '{% for m in messages %}{{ m.content }}{% endfor %}', []],
    ['no answers', "{% for m in messages if m.role == 'user' %}{{ m.content + '<|end|>' }}{% endfor %}", []],
    ['a refusal of such a conversation', "{{ raise_exception('no.') }}", []],
  ])('knows what ends an answer: %s', (_, template, ids) => {
    expect(open(template).endOfTurnIds).toEqual(ids);
  });

  it('is refused itself where it is none', () => {
    expect(() => open('{% for %}')).toThrow(/^The chat template of the tokenizer cannot be read: .*\.$/);
  });
});

describe('the plain template', () => {
  it('is the lines of a document, without instructions', () => {
    const ids = openPlainChatTemplate().encode(
      [
        { role: 'system', content: 'You are helpful.' },
        { role: 'user', content: ' The Red Kite\n' },
        { role: 'assistant', content: 'It flew.\nHigh.' },
        { role: 'user', content: 'Then <|end|> it fell.' },
      ],
      encoding,
    );
    expect(Math.max(...ids)).toBeLessThan(256);
    expect(encoding.decode(ids)).toBe('The Red Kite\nIt flew.\nHigh.\nThen <|end|> it fell.\n');
  });

  it('is an empty document where nobody said anything', () => {
    expect(openPlainChatTemplate().encode([{ role: 'system', content: 'x' }], encoding)).toEqual([]);
  });
});
