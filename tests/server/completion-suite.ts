/**
 * What a completion must be over a real socket, whatever the model: run against the fake model for every change, and
 * against a real package where one is at hand.
 */
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/runtime/engine.js';
import type { TestServer } from './start-server.js';
import { until } from './until.js';

export type EngineServer = TestServer & { readonly engine: Engine };

export interface SuiteOptions {
  readonly model: string;
  readonly prompt: string;
  readonly chunkSize: number;
  readonly slotCount: number;
  /** Tokens of a completion that is still running when the next requests have come and gone. */
  readonly longTokens: number;
}

type Completion = OpenAI.Completion;
type Params = OpenAI.CompletionCreateParamsNonStreaming;

/** A completion that goes on past the end of text, so that its length is known. */
export function endless(options: SuiteOptions, params: Partial<Params> = {}): Params {
  return { model: options.model, prompt: options.prompt, ...params, ignore_eos: true } as Params;
}

/** Reads a stream to its end and puts each choice's events together. */
export async function readStream(stream: AsyncIterable<Completion>) {
  const events: Completion[] = [];
  for await (const event of stream) events.push(event);
  const texts = new Map<number, string>();
  const reasons = new Map<number, unknown[]>();
  for (const { choices } of events) {
    for (const choice of choices) {
      texts.set(choice.index, (texts.get(choice.index) ?? '') + choice.text);
      if (choice.finish_reason !== null) {
        reasons.set(choice.index, [...(reasons.get(choice.index) ?? []), choice.finish_reason]);
      }
    }
  }
  return { events, texts, reasons };
}

export function describeCompletions(
  name: string,
  start: () => Promise<EngineServer>,
  options: SuiteOptions,
): void {
  describe(name, () => {
    let server: EngineServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server[Symbol.asyncDispose]());

    const create = (params: Partial<Params>): Promise<Completion> =>
      server.client.completions.create(endless(options, params));
    const stream = (params: Partial<Params>) =>
      server.client.completions.create({ ...endless(options, params), stream: true });

    it('answers at once with text, reason and exact usage', async () => {
      const answer = await create({ max_tokens: 11, seed: 1 });
      expect(answer).toMatchObject({
        id: expect.stringMatching(/^cmpl-/),
        object: 'text_completion',
        created: expect.any(Number),
        model: options.model,
      });
      expect(answer.choices).toHaveLength(1);
      expect(answer.choices[0]).toMatchObject({ index: 0, logprobs: null, finish_reason: 'length' });
      const { prompt_tokens, completion_tokens, total_tokens } = answer.usage!;
      expect(completion_tokens).toBe(11);
      expect(prompt_tokens).toBeGreaterThan(0);
      expect(total_tokens).toBe(prompt_tokens + completion_tokens);
    });

    it('streams the same text, an event a chunk, and one id', async () => {
      const tokenCount = 5 * options.chunkSize + 1;
      const whole = await create({ max_tokens: tokenCount, seed: 2 });
      const { events, texts, reasons } = await readStream(await stream({ max_tokens: tokenCount, seed: 2 }));
      expect(events).toHaveLength(Math.ceil(tokenCount / options.chunkSize));
      expect(texts).toEqual(new Map([[0, whole.choices[0]?.text]]));
      expect(reasons).toEqual(new Map([[0, ['length']]]));
      expect(events.at(-1)?.choices[0]?.finish_reason).toBe('length');
      expect(new Set(events.map(event => `${event.id} ${event.created} ${event.object}`)).size).toBe(1);
      expect(events.some(event => 'usage' in event)).toBe(false);
    });

    it('answers a chat, at once and streamed, as the completion of its lines', async () => {
      const params = {
        model: options.model,
        messages: [{ role: 'user' as const, content: options.prompt }],
        max_tokens: 4 * options.chunkSize + 1,
        seed: 12,
        ignore_eos: true,
      };
      const whole = await server.client.chat.completions.create(params);
      let text = '';
      for await (const event of await server.client.chat.completions.create({ ...params, stream: true })) {
        text += event.choices[0]?.delta.content ?? '';
      }
      expect(text).toBe(whole.choices[0]?.message.content);
      const completion = await create({
        prompt: `${options.prompt}\n`,
        max_tokens: params.max_tokens,
        seed: params.seed,
      });
      expect(text).toBe(completion.choices[0]?.text);
      expect(whole.usage).toEqual(completion.usage);
    });

    it('adds usage to a stream that asks for it: null, and the sum in an event without choices', async () => {
      const { events } = await readStream(
        await stream({ max_tokens: 9, seed: 2, n: 2, stream_options: { include_usage: true } }),
      );
      const last = events.pop();
      expect(last?.choices).toEqual([]);
      expect(last?.usage?.completion_tokens).toBe(18);
      expect(last?.usage?.total_tokens).toBe(18 + last!.usage!.prompt_tokens);
      expect(events.every(event => event.usage === null && event.choices.length === 1)).toBe(true);
    });

    it('counts along where continuous_usage_stats asks for it', async () => {
      const { events } = await readStream(
        await stream({
          max_tokens: 3 * options.chunkSize,
          stream_options: { include_usage: true, continuous_usage_stats: true } as { include_usage: true },
        }),
      );
      const counts = events.slice(0, -1).map(event => event.usage?.completion_tokens);
      expect(counts).toEqual([1, 2, 3].map(chunks => chunks * options.chunkSize));
    });

    it('gives n choices that differ, in order', async () => {
      const { choices, usage } = await create({ max_tokens: 24, n: 2, seed: 3, temperature: 1 });
      expect(choices.map(choice => choice.index)).toEqual([0, 1]);
      expect(choices[0]?.text).not.toBe(choices[1]?.text);
      expect(usage?.completion_tokens).toBe(48);
    });

    it('queues choices for slots', async () => {
      const n = options.slotCount * 2 + 4;
      const whole = await create({ max_tokens: 12, n, seed: 4 });
      expect(whole.choices.map(choice => choice.index)).toEqual(Array.from({ length: n }, (_, i) => i));
      const { texts, reasons } = await readStream(await stream({ max_tokens: 12, n, seed: 4 }));
      expect(texts).toEqual(new Map(whole.choices.map(choice => [choice.index, choice.text])));
      expect([...reasons.values()].flat()).toEqual(Array.from({ length: n }, () => 'length'));
      expect(server.engine.stats().leasedSlots).toBe(0);
    });

    it('answers prompts of an array as it answers each alone', async () => {
      const prompts = [options.prompt, `${options.prompt} and`, options.prompt.slice(0, 3)];
      const together = await create({ prompt: prompts, max_tokens: 10, seed: 5, n: 2 });
      const alone = await Promise.all(
        prompts.map(prompt => create({ prompt, max_tokens: 10, seed: 5, n: 2 })),
      );
      expect(together.choices.map(choice => choice.text)).toEqual(
        alone.flatMap(answer => answer.choices.map(choice => choice.text)),
      );
      expect(together.usage?.prompt_tokens).toBe(
        alone.reduce((sum, answer) => sum + answer.usage!.prompt_tokens, 0),
      );
    });

    it('stops at a string that lies across a chunk border', async () => {
      const free = (await create({ max_tokens: 40, seed: 6 })).choices[0]!.text;
      const { texts: chunks } = await readEvents(await stream({ max_tokens: 40, seed: 6 }));
      const border = chunks[0]!.length + chunks[1]!.length;
      const stop = free.slice(border - 2, border + 2);
      const cut = free.indexOf(stop);
      const answer = await create({ max_tokens: 40, seed: 6, stop: ['never to be found', stop] });
      expect(answer.choices[0]).toMatchObject({
        text: free.slice(0, cut),
        finish_reason: 'stop',
        stop_reason: stop,
      });
      expect(answer.usage?.completion_tokens).toBeLessThan(40);
      const streamed = await readStream(await stream({ max_tokens: 40, seed: 6, stop }));
      expect(streamed.texts.get(0)).toBe(free.slice(0, cut));
      expect(streamed.reasons.get(0)).toEqual(['stop']);
      await until(() => server.engine.stats().leasedSlots === 0);
    });

    it('repeats itself at temperature 0 without a seed, and under a seed', async () => {
      for (const params of [{ temperature: 0 }, { temperature: 1, seed: 77 }]) {
        const [a, b] = [
          await create({ ...params, max_tokens: 12 }),
          await create({ ...params, max_tokens: 12 }),
        ];
        expect(a.choices[0]?.text).toBe(b.choices[0]?.text);
      }
    });

    it('gives each of 64 concurrent requests the text that it gives it alone', async () => {
      const request = (seed: number): Partial<Params> => ({
        prompt: options.prompt.slice(0, 1 + (seed % options.prompt.length)),
        max_tokens: 8 + (seed % 17),
        seed,
        temperature: 1,
      });
      const seeds = Array.from({ length: 64 }, (_, i) => 1000 + i);
      const together = await Promise.all(seeds.map(seed => create(request(seed))));
      expect(server.engine.stats().largestBatch).toBe(options.slotCount);
      for (const [i, seed] of seeds.entries()) {
        const alone = await create(request(seed));
        expect(together[i]?.choices[0]?.text).toBe(alone.choices[0]?.text);
      }
      expect(server.engine.stats()).toMatchObject({ leasedSlots: 0, waiting: 0, running: 0 });
    });

    it('frees the slot when the reader of a stream leaves', async () => {
      const before = server.engine.stats();
      const events = await stream({ max_tokens: options.longTokens, seed: 8 });
      for await (const _ of events) break;
      await until(() => server.engine.stats().finished.aborted > before.finished.aborted);
      const { leasedSlots, steps } = server.engine.stats();
      expect(leasedSlots).toBe(0);
      await create({ max_tokens: 1 });
      // The step that ran at the time, and those of the request after it.
      expect(server.engine.stats().steps - steps).toBeLessThanOrEqual(2);
    });

    it('frees the slots when the client of a whole answer leaves, and the queue too', async () => {
      const before = server.engine.stats().finished.aborted;
      const n = options.slotCount + 2;
      const leaving = new AbortController();
      const answer = server.client.completions.create(
        endless(options, { max_tokens: options.longTokens, n, seed: 9 }),
        { signal: leaving.signal },
      );
      await until(() => server.engine.stats().leasedSlots === options.slotCount);
      leaving.abort();
      await expect(answer).rejects.toThrow();
      await until(() => server.engine.stats().finished.aborted === before + n);
      expect(server.engine.stats()).toMatchObject({ leasedSlots: 0, waiting: 0, running: 0 });
    });

    it('gives a request its first token while others go on', async () => {
      const before = server.engine.stats().finished.length;
      const long = await Promise.all([1, 2, 3].map(seed => stream({ max_tokens: options.longTokens, seed })));
      for (const events of long) await events[Symbol.asyncIterator]().next();
      for await (const _ of await stream({ max_tokens: options.chunkSize * 2, seed: 10 })) break;
      const { running, finished } = server.engine.stats();
      expect(finished.length).toBeLessThanOrEqual(before + 1);
      expect(running).toBeGreaterThanOrEqual(3);
      for (const events of long) events.controller.abort();
      await until(() => server.engine.stats().leasedSlots === 0);
    });
  });
}

/** The text of each event. */
async function readEvents(stream: AsyncIterable<Completion>): Promise<{ texts: string[] }> {
  const { events } = await readStream(stream);
  return { texts: events.map(event => event.choices[0]?.text ?? '') };
}
