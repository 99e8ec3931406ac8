import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fitPrompt } from '../targets/prompt-length.js';
import { orderPrompts, randomTokenPrompt, readPrompts, splitWords, storyOpeningsFile } from './prompts.js';

const folder = mkdtempSync(join(tmpdir(), 'loadtest-prompts-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe('readPrompts', () => {
  it('reads paragraphs, and lines of JSON', () => {
    expect(readPrompts(write('a.txt', 'One\nline two\r\n\r\n \n\nTwo\n'))).toEqual(['One\nline two', 'Two']);
    expect(readPrompts(write('a.jsonl', '"One"\n\n{"prompt": "Two", "id": 1}\n'))).toEqual(['One', 'Two']);
  });

  it('reads the openings that come along', () => {
    const openings = readPrompts(storyOpeningsFile);
    expect(openings.length).toBeGreaterThanOrEqual(20);
    expect(new Set(openings).size).toBe(openings.length);
  });

  it.each([
    ['missing.txt', null, 'ENOENT'],
    ['empty.txt', ' \n\n', 'holds no prompt'],
    ['bad.jsonl', '"One"\n{"text": "Two"}\n', 'Line 2'],
    ['worse.jsonl', '"One\n', 'Line 1'],
  ])('refuses %s', (name, text, words) => {
    const file = text === null ? join(folder, name) : write(name, text);
    expect(() => readPrompts(file)).toThrow(words);
  });
});

describe('orderPrompts', () => {
  it('depends on the seed alone', () => {
    const prompts = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    expect(orderPrompts(prompts, 5)).toEqual(orderPrompts(prompts, 5));
    expect(orderPrompts(prompts, 5)).not.toEqual(orderPrompts(prompts, 6));
  });
});

describe('randomTokenPrompt', () => {
  it('has the asked length and keeps away from both ends of the vocabulary', () => {
    const prompt = randomTokenPrompt(5000, 1000, 1);
    expect(prompt).toHaveLength(5000);
    expect(Math.min(...prompt)).toBe(50);
    expect(Math.max(...prompt)).toBe(949);
  });
});

describe('fitPrompt', () => {
  const prompts = ['one two three four five', 'six seven eight nine ten', 'eleven twelve'];
  const words = async (text: string): Promise<number> => splitWords(text).length;
  const letters = async (text: string): Promise<number> => text.length;

  it('reaches the length exactly where a word is a token, over several prompts', async () => {
    for (const length of [1, 2, 7, 12, 30]) {
      expect(await words(await fitPrompt(prompts, 1, length, words))).toBe(length);
    }
    expect(await fitPrompt(prompts, 1, 7, words)).toBe('six seven eight nine ten\n\neleven twelve');
  });

  it('comes as near as whole words allow, and never beyond', async () => {
    expect(await fitPrompt(prompts, 0, 16, letters)).toBe('one two three');
    expect(await fitPrompt(prompts, 0, 13, letters)).toBe('one two three');
  });

  it('asks few times', async () => {
    let asked = 0;
    await fitPrompt(prompts, 0, 400, async text => {
      asked++;
      return Math.ceil(text.length / 3);
    });
    expect(asked).toBeLessThanOrEqual(8);
  });
});
