/** Evaluation over HTTP, of a server whose law is known and of one that misbehaves. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { parseTarget, requestDraws } from '../src/evaluate/completions-client.js';
import { evaluateServer } from '../src/evaluate/evaluate-server.js';
import type { Manifest } from '../src/runtime/manifest.js';
import { RandomStream } from '../src/sampler/uniform.js';
import { byteEncoding } from './byte-encoding.js';
import { type ChainLaw, exactBrier, nextToken } from './reference/known-chain.js';

type Body = Record<string, unknown> & {
  prompt: number[] | string;
  n: number;
  seed: number;
  max_tokens: number;
};
type Answer = (body: Body) => { status?: number; json: unknown };

const running: Server[] = [];
const stop = () => Promise.all(running.splice(0).map(server => new Promise(done => server.close(done))));
afterEach(stop);

async function serve(answer: Answer): Promise<string> {
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const { status = 200, json } = answer(JSON.parse(await text(request)) as Body);
    response.writeHead(request.url === '/v1/completions' ? status : 404);
    response.end(typeof json === 'string' ? json : JSON.stringify(json));
  };
  const server = createServer((request, response) => void handle(request, response));
  running.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const law: ChainLaw = [
  [0.8, 0.1, 0.1],
  [0.3, 0.4, 0.3],
  [0.05, 0.35, 0.6],
];
const document = [0, 1, 1, 2, 0, 0, 1, 2, 2, 1, 0, 2, 1];
const like = { chunk_size: 2, bos_token_id: 0, backbone: { max_positions: 32 } } as Manifest;

/** Draws four tokens behind the prompt; `told` picks what the answer holds. */
function chainAnswer(told: (tokens: number[]) => object): Answer {
  return ({ prompt, n, seed, max_tokens }) => {
    const context = typeof prompt === 'string' ? [...Buffer.from(prompt)] : prompt;
    const random = new RandomStream({ seed, choice: 0, step: 0 });
    const choices = Array.from({ length: n }, () => {
      const tokens: number[] = [];
      while (tokens.length < max_tokens) {
        tokens.push(nextToken(law, [...context, ...tokens], random.next()));
      }
      return told(tokens);
    });
    return { json: { choices } };
  };
}

describe('evaluateServer', () => {
  const encoding = byteEncoding();

  /** |z| > 4.5 has a probability below 7e-6, and there are 4 comparisons for each form. */
  it.each([
    ['token ids', false, (tokens: number[]) => ({ text: '', token_ids: tokens })],
    ['text', true, (tokens: number[]) => ({ text: String.fromCharCode(...tokens) })],
  ] as const)('scores a known law through %s', async (_, textPrompts, told) => {
    const seen: Body[] = [];
    const answer = chainAnswer(told);
    const url = await serve(body => {
      seen.push(body);
      return answer(body);
    });
    const documents = new Array<number[]>(200).fill(document);
    const target = parseTarget(`${url}#toy`);
    const found = await evaluateServer(target, like, encoding, documents, {
      samples: 16,
      seed: 9,
      textPrompts,
    });
    const starts = textPrompts ? [4, 8] : [0, 4, 8];
    expect(found).toMatchObject({ positions: 200 * starts.length, documents: 200, blockTokens: 60 });
    const front = textPrompts ? [] : [0, 0];
    const exact = starts.map(start =>
      exactBrier(law, [...front, ...document.slice(0, start)], document.slice(start, start + 4)),
    );
    for (const n of [0, 1, 2, 3]) {
      const wanted = exact.reduce((sum, brier) => sum + brier[n]!, 0) / exact.length;
      // The share of 16 hits deviates by at most 1/8, that of their pairs by less than 0.18: a term by less than 0.43.
      const deviation = 0.43 / Math.sqrt(found.positions);
      expect(Math.abs(found.brier[n]! / 100 - wanted)).toBeLessThan(4.5 * deviation);
    }
    expect(seen[0]).toMatchObject({ model: 'toy', n: 16, max_tokens: 4, temperature: 1 });
    expect('return_token_ids' in seen[0]!).toBe(!textPrompts);
    expect(new Set(seen.map(({ seed }) => seed)).size).toBe(seen.length);
  });

  it('says what to do about a server that does not tell token ids', async () => {
    const url = await serve(chainAnswer(() => ({ text: 'abcd' })));
    const options = { samples: 2, seed: 1 };
    await expect(evaluateServer(parseTarget(url), like, encoding, [document], options)).rejects.toThrow(
      /does not tell token ids; use --text-prompts\.$/,
    );
  });
});

describe('a server that fails', () => {
  const request = { prompt: [1], count: 2, maxTokens: 4, seed: 1 };

  it.each<[string, Answer, RegExp]>([
    [
      'an error',
      () => ({ status: 404, json: { error: { message: 'No such model.' } } }),
      /status 404: No such model\.$/,
    ],
    ['a page', () => ({ json: '<html>' }), /status 200: no JSON$/],
    ['another shape', () => ({ json: { text: 'a' } }), /no list of choices where 2 were asked for\.$/],
    ['one choice', () => ({ json: { choices: [{ text: 'a' }] } }), /1 choices where 2 were asked for\.$/],
  ])('with %s is named in one sentence', async (_, answer, sentence) => {
    const url = await serve(answer);
    await expect(requestDraws(parseTarget(url), request)).rejects.toThrow(sentence);
  });

  it('by not being there is named in one sentence', async () => {
    const url = await serve(() => ({ json: {} }));
    await stop();
    await expect(requestDraws(parseTarget(url), request)).rejects.toThrow(
      `There is no answer from ${url}/v1/completions: is the server running?`,
    );
  });
});

describe('parseTarget', () => {
  it.each([
    ['http://host:1#m', 'http://host:1/v1', 'm'],
    ['http://host:1/', 'http://host:1/v1', null],
    ['https://host/api/v1/completions#a%20b', 'https://host/api/v1', 'a b'],
  ])('reads %s', (address, baseUrl, model) => {
    expect(parseTarget(address)).toEqual({ baseUrl, model });
  });

  it.each(['host:1', 'ftp://host', ''])('refuses %j', address => {
    expect(() => parseTarget(address)).toThrow(/^--url must look like http:\/\/host:port#model\. Given: /);
  });
});
