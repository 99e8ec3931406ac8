/** A token model behind a socket with the prefix cache and without: the same answers, and the cache only where it may be used. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTokenServer, type TokenServer } from './start-token-server.js';

let plain: TokenServer;
beforeAll(async () => {
  plain = await startTokenServer();
});
afterAll(() => plain[Symbol.asyncDispose]());
const startCached = () => startTokenServer({ prefixCacheBytes: 2 ** 20 });

interface Answer {
  readonly choices: readonly object[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
}

async function post(server: TokenServer, body: object): Promise<Answer> {
  const response = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'base',
      max_tokens: 6,
      ignore_eos: true,
      seed: 3,
      temperature: 2,
      repetition_penalty: 8,
      return_token_ids: true,
      ...body,
    }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

const cachedOf = ({ usage }: Answer): number => usage.prompt_tokens_details.cached_tokens;

async function metric(server: TokenServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(text)?.[1]);
}

/** Several blocks of the cache long. */
const shared = 'Once upon a time, there was a cat.';
/** One beginning, endings of all lengths modulo a block, and a stranger. */
const prompts = [...Array.from({ length: 9 }, (_, length) => shared + 'xyzuvwabc'.slice(0, length)), 'A dog'];

describe('a token model with the prefix cache', () => {
  it('answers as without it, one after the other and together, and counts its hits', async () => {
    await using cached = await startCached();
    let hits = 0;
    const compare = async (prompt: string, seed: number) => {
      const expected = await post(plain, { prompt, seed });
      const answer = await post(cached, { prompt, seed });
      expect(answer.choices).toEqual(expected.choices);
      expect(cachedOf(expected)).toBe(0);
      hits += cachedOf(answer);
      return cachedOf(answer);
    };
    expect(await compare(prompts[0]!, 0)).toBe(0);
    for (const [seed, prompt] of prompts.slice(1, -1).entries()) {
      expect(await compare(prompt, seed)).toBeGreaterThanOrEqual(16);
    }
    expect(await compare(prompts.at(-1)!, 1)).toBe(0);
    await Promise.all(prompts.map((prompt, seed) => compare(prompt, 100 + seed)));
    expect(await metric(cached, 'vllm:prefix_cache_hits_total')).toBe(hits);
    expect(await metric(plain, 'vllm:prefix_cache_hits_total')).toBe(0);
  });

  it('gives the log-probabilities of what it writes from a cached prompt', async () => {
    await using cached = await startCached();
    const ask = { prompt: shared, logprobs: 3 };
    const expected = await post(plain, ask);
    await post(cached, { prompt: shared });
    const warm = await post(cached, ask);
    expect(cachedOf(warm)).toBeGreaterThanOrEqual(16);
    expect(warm.choices).toEqual(expected.choices);
  });

  it.each([1, 0])(
    'runs a prompt whole where its own log-probabilities are wanted, and keeps nothing of it (max_tokens %i)',
    async max_tokens => {
      const ask = { prompt: shared, echo: true, logprobs: 2, max_tokens };
      const expected = await post(plain, ask);
      await using cached = await startCached();
      const cold = await post(cached, ask);
      // Had the scored prompt been kept, this one would find it.
      const first = await post(cached, { prompt: shared });
      const warm = await post(cached, ask);
      const second = await post(cached, { prompt: shared });
      expect([cold.choices, warm.choices]).toEqual([expected.choices, expected.choices]);
      expect([cold, first, warm].map(cachedOf)).toEqual([0, 0, 0]);
      expect(cachedOf(second)).toBeGreaterThanOrEqual(16);
      expect(second.choices).toEqual(first.choices);
    },
  );

  it('echoes a cached prompt as text', async () => {
    await using cached = await startCached();
    const ask = { prompt: shared, echo: true };
    await post(cached, ask);
    const warm = await post(cached, ask);
    expect(cachedOf(warm)).toBeGreaterThanOrEqual(16);
    expect(warm.choices).toEqual((await post(plain, ask)).choices);
  });
});
