/** The suite that any model must pass, and what only a model with a script can show: bytes and stops in known places. */
import { describe, expect, it } from 'vitest';
import { describeCompletions, readStream } from './completion-suite.js';
import { eosTokenId } from './fake-model.js';
import { startFakeServer } from './start-server.js';
import { until } from './until.js';

describeCompletions('completions of a fake model', () => startFakeServer({ contextChunks: 20_000 }), {
  model: 'fake',
  prompt: 'Once upon a time',
  chunkSize: 4,
  slotCount: 8,
  longTokens: 60_000,
});

const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];

/** A server whose model recites `text` and then ends, for any request with seed 1. */
const reciting = (text: string) =>
  startFakeServer({ scripts: new Map([[1, [...bytes(text), eosTokenId, 0, 0, 0]]]) });

const recital = { model: 'fake', prompt: 'x', seed: 1, max_tokens: 200 };

describe('text', () => {
  it.each([
    ['two bytes', 'naïve façade déjà vu'],
    ['three bytes', '日本語のテキスト'],
    ['four bytes', 'a😀b😀😀c👩‍👩‍👧'],
    ['all', 'aé日😀'.repeat(7)],
  ])('never cuts a character of %s between events', async (_, text) => {
    await using server = await reciting(text);
    const { events, texts, reasons } = await readStream(
      await server.client.completions.create({ ...recital, stream: true }),
    );
    expect(texts.get(0)).toBe(text);
    expect(reasons.get(0)).toEqual(['stop']);
    for (const event of events) {
      expect(event.choices[0]?.text).not.toMatch(/\uFFFD|[\uD800-\uDBFF]$|^[\uDC00-\uDFFF]/);
    }
  });

  it('replaces a character that the token limit leaves incomplete', async () => {
    await using server = await reciting('ab日');
    const { choices } = await server.client.completions.create({ ...recital, max_tokens: 4 });
    expect(choices[0]?.text).toBe('ab\uFFFD');
  });
});

describe('end of text', () => {
  it('stops at the end token inside a chunk, does not deliver it and says which it was', async () => {
    await using server = await reciting('hello');
    const answer = await server.client.completions.create(recital);
    expect(answer.choices[0]).toMatchObject({
      text: 'hello',
      finish_reason: 'stop',
      stop_reason: eosTokenId,
    });
    expect(answer.usage?.completion_tokens).toBe(5);
  });

  it('goes on with ignore_eos, or until min_tokens', async () => {
    await using server = await reciting('hello');
    const ignoring = await server.client.completions.create({
      ...recital,
      max_tokens: 12,
      ignore_eos: true,
    } as typeof recital);
    expect(ignoring.usage?.completion_tokens).toBe(12);
    const longer = await server.client.completions.create({
      ...recital,
      max_tokens: 12,
      min_tokens: 8,
    } as typeof recital);
    expect(longer.usage?.completion_tokens).toBe(12);
  });

  it('stops at stop_token_ids', async () => {
    await using server = await reciting('one. two. three.');
    const params = { ...recital, stop_token_ids: bytes('w') } as typeof recital;
    const { choices, usage } = await server.client.completions.create(params);
    expect(choices[0]).toMatchObject({ text: 'one. t', finish_reason: 'stop', stop_reason: 119 });
    expect(usage?.completion_tokens).toBe(6);
  });
});

describe('stop strings', () => {
  it('cut text and token count exactly, wherever they lie in a chunk', async () => {
    const text = 'abcdefghijklmnopqrstuvwxyz';
    await using server = await reciting(text);
    for (let start = 0; start < 9; start += 1) {
      const stop = text.slice(start, start + 3);
      const { choices, usage } = await server.client.completions.create({ ...recital, stop });
      expect(choices[0]).toMatchObject({
        text: text.slice(0, start),
        finish_reason: 'stop',
        stop_reason: stop,
      });
      expect(usage?.completion_tokens).toBe(start);
    }
    await until(() => server.engine.stats().leasedSlots === 0);
  });

  it('hold text back only while it may still become one, and let it go at the end', async () => {
    await using server = await reciting('one xEND two EN');
    const { events, texts } = await readStream(
      await server.client.completions.create({ ...recital, stop: 'END!', stream: true }),
    );
    expect(texts.get(0)).toBe('one xEND two EN');
    expect(events[1]?.choices[0]?.text).toBe('x');
    expect(events.at(-1)?.choices[0]).toMatchObject({ finish_reason: 'stop', stop_reason: eosTokenId });
  });

  it('never let a token id out whose text they cut', async () => {
    await using server = await reciting('abcdefghijkl');
    const params = { ...recital, stop: 'defg', return_token_ids: true, stream: true as const };
    const ids: number[] = [];
    for await (const event of await server.client.completions.create(params)) {
      ids.push(...(event.choices[0] as unknown as { token_ids: number[] }).token_ids);
    }
    expect(ids).toEqual(bytes('abc'));
  });

  it('are delivered, with their tokens, where include_stop_str_in_output asks for it', async () => {
    await using server = await reciting('abcdefghijkl');
    for (const stop of ['def', 'd', 'efgh', 'kl']) {
      const params = { ...recital, stop, include_stop_str_in_output: true, return_token_ids: true };
      const { choices, usage } = await server.client.completions.create(params as typeof recital);
      const text = 'abcdefghijkl'.slice(0, 'abcdefghijkl'.indexOf(stop) + stop.length);
      expect(choices[0]).toMatchObject({
        text,
        token_ids: bytes(text),
        finish_reason: 'stop',
        stop_reason: stop,
      });
      expect(usage?.completion_tokens).toBe(text.length);
      const { texts } = await readStream(
        await server.client.completions.create({ ...params, stream: true as const }),
      );
      expect(texts.get(0)).toBe(text);
    }
  });

  it('of several, the one that is found first ends the text', async () => {
    await using server = await reciting('abcdefghijkl');
    const { choices } = await server.client.completions.create({
      ...recital,
      stop: ['hij', 'fg', 'zzz', ''],
    });
    expect(choices[0]).toMatchObject({ text: 'abcde', stop_reason: 'fg' });
  });
});

describe('echo', () => {
  it('puts the prompt in front of every choice, whole and streamed, from text and from ids', async () => {
    await using server = await reciting('hello');
    const params = { ...recital, echo: true, n: 2 };
    const whole = await server.client.completions.create({ ...params, prompt: ['été ', 'b'] });
    expect(whole.choices.map(choice => choice.text)).toEqual(['été hello', 'été hello', 'bhello', 'bhello']);
    expect(whole.usage?.completion_tokens).toBe(20);
    const fromIds = { ...params, prompt: [bytes('été '), bytes('b')], stream: true as const };
    const { texts } = await readStream(await server.client.completions.create(fromIds));
    expect([...texts].sort().map(([, text]) => text)).toEqual(['été hello', 'été hello', 'bhello', 'bhello']);
  });

  it('with max_tokens 0 gives the prompt alone, without the engine', async () => {
    await using server = await reciting('hello');
    const params = { ...recital, max_tokens: 0, prompt: 'only this' };
    const echoed = await server.client.completions.create({ ...params, echo: true });
    expect(echoed.choices[0]).toMatchObject({ text: 'only this', finish_reason: 'length' });
    expect(echoed.usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 0, total_tokens: 9 });
    const { texts, reasons } = await readStream(
      await server.client.completions.create({ ...params, stream: true }),
    );
    expect([texts.get(0), reasons.get(0)]).toEqual(['', ['length']]);
    expect(server.engine.stats().submitted).toBe(0);
  });
});

describe('truncate_prompt_tokens', () => {
  it('keeps the end of a prompt that is longer, and what echo shows of it', async () => {
    await using server = await reciting('hello');
    const create = (params: object) =>
      server.client.completions.create({
        ...recital,
        echo: true,
        ...params,
        truncate_prompt_tokens: 4,
      } as typeof recital);
    const cut = await create({ prompt: ['once upon', 'a'] });
    expect(cut.choices.map(choice => choice.text)).toEqual(['uponhello', 'ahello']);
    expect(cut.usage?.prompt_tokens).toBe(5);
    const ids = await create({ prompt: bytes('once upon') });
    expect(ids.choices[0]?.text).toBe('uponhello');
    // 3,000 tokens do not fit into the context, their end does.
    expect((await create({ prompt: Array(3000).fill(97) })).usage?.prompt_tokens).toBe(4);
  });
});

describe('token ids', () => {
  it('come with the text where they are asked for', async () => {
    await using server = await reciting('hello');
    const params = { ...recital, return_token_ids: true } as typeof recital;
    const { choices } = await server.client.completions.create(params);
    expect(choices[0]).toMatchObject({ token_ids: bytes('hello'), prompt_token_ids: bytes('x') });
  });

  it('are all that a model without a tokenizer takes and gives', async () => {
    await using server = await startFakeServer({
      hasTokenizer: false,
      scripts: new Map([[1, [...bytes('hello'), eosTokenId]]]),
    });
    const { choices } = await server.client.completions.create({ ...recital, prompt: [1, 2, 3] });
    expect(choices[0]).toMatchObject({ text: '', token_ids: bytes('hello'), finish_reason: 'stop' });
    await expect(server.client.completions.create(recital)).rejects.toMatchObject({
      status: 400,
      param: 'prompt',
      message: expect.stringContaining('must be an array of token ids'),
    });
    await expect(
      server.client.completions.create({ ...recital, prompt: [1], stop: 'x' }),
    ).rejects.toMatchObject({ status: 400, param: 'stop' });
  });
});
