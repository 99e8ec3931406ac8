/** Small completion servers in this process, one well-behaved and others that misbehave in one way each. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The parts of a request body that the servers look at. */
export interface FakeRequest {
  readonly prompt: string | number[];
  readonly max_tokens: number;
  readonly seed: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly min_p?: number;
  readonly stream?: boolean;
  readonly ignore_eos?: boolean;
  readonly stream_options?: { readonly continuous_usage_stats?: boolean };
}

export type Behaviour = (body: FakeRequest, response: ServerResponse, request: IncomingMessage) => void;

export interface FakeServer extends AsyncDisposable {
  readonly url: string;
  /** Bodies of the completion requests, in the order of their arrival. */
  readonly bodies: FakeRequest[];
  readonly server: Server;
}

export const chunkSize = 4;

/** Serves the model "m" (and others if named); `behave` answers completions. */
export async function startFakeServer(
  behave: Behaviour = answerWell,
  options: {
    readonly models?: readonly string[] | null;
    readonly apiKey?: string;
    readonly kind?: string;
    /** Answers to GET by path, instead of the list of models; other paths are not found. */
    readonly routes?: Readonly<Record<string, unknown>>;
  } = {},
): Promise<FakeServer> {
  const { models = ['m'], apiKey, kind, routes } = options;
  const bodies: FakeRequest[] = [];
  const server = createServer((request, response) => {
    if (apiKey !== undefined && request.headers.authorization !== `Bearer ${apiKey}`) {
      sendJson(response, 401, { error: { message: 'Wrong API key.', code: 'invalid_api_key' } });
    } else if (request.method === 'GET' && routes?.[request.url ?? ''] !== undefined) {
      sendJson(response, 200, routes[request.url ?? '']);
    } else if (request.method === 'GET' && models !== null && !routes) {
      const meta = kind === undefined ? {} : { meta: { kind, chunk_size: chunkSize, n_vocab: 1000 } };
      sendJson(response, 200, { object: 'list', data: models.map(id => ({ id, ...meta })) });
    } else if (request.method === 'GET') {
      sendJson(response, 404, { error: { message: 'No such route.' } });
    } else {
      void readBody(request).then(body => {
        bodies.push(body);
        behave(body, response, request);
      });
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    server,
    [Symbol.asyncDispose]: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<FakeRequest> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as FakeRequest;
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

export function startStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
}

export function sendEvent(response: ServerResponse, event: unknown): void {
  response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
}

/** Text of one token: no two neighbours alike, so that no answer looks like a loop. */
export const tokenText = (index: number): string => ` w${index * index}`;

/** Streams chunks of `chunkSize` tokens, usage with every event if asked, the finish reason in the last one. */
export const answerWell: Behaviour = (body, response) => {
  const count = body.max_tokens;
  const usage = (done: number) => ({ prompt_tokens: countPrompt(body.prompt), completion_tokens: done });
  const text = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, index) => tokenText(from + index)).join('');
  if (!body.stream) {
    const choice = { index: 0, text: text(0, count), finish_reason: 'length' };
    sendJson(response, 200, { choices: [choice], usage: usage(count) });
    return;
  }
  startStream(response);
  for (let from = 0; from < count; from += chunkSize) {
    const to = Math.min(count, from + chunkSize);
    const choice = { index: 0, text: text(from, to), finish_reason: to === count ? 'length' : null };
    const live = body.stream_options?.continuous_usage_stats ? { usage: usage(to) } : {};
    sendEvent(response, { choices: [choice], ...live });
  }
  sendEvent(response, { choices: [], usage: usage(count) });
  sendEvent(response, '[DONE]');
  response.end();
};

function countPrompt(prompt: string | readonly number[]): number {
  return typeof prompt === 'string' ? prompt.split(/\s+/).filter(Boolean).length : prompt.length;
}

/** The first event of an answer that will not end well. */
export function beginAnswer(response: ServerResponse): void {
  startStream(response);
  sendEvent(response, { choices: [{ index: 0, text: ' Once', finish_reason: null }] });
}

/** Answers a number of requests well, and then behaves. */
export function after(count: number, behave: Behaviour): Behaviour {
  let served = 0;
  return (body, response, request) => (++served <= count ? answerWell : behave)(body, response, request);
}

/** Ends the connection in the middle of an answer. */
export const drop: Behaviour = (_, response) => {
  beginAnswer(response);
  response.write(': ', () => response.destroy());
};

/** Sends half an event as if it were a whole one. */
export const malform: Behaviour = (_, response) => {
  beginAnswer(response);
  sendEvent(response, '{"choices":');
};
