/** /openapi.json: it tells of every route and of every field of an answer, and of nothing else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { createApp } from '../src/server/app.js';
import type { ChatEvent, ChatResponse } from '../src/server/chat/chat-response.js';
import type { CompletionResponse } from '../src/server/completions/completion-response.js';
import { completionSchema } from '../src/server/completions/completion-schema.js';
import { ServedModels } from '../src/server/models/served-model.js';
import type { chatAnswer, chatEvent, completionEvent } from '../src/server/openapi/openapi-answers.js';
import { describeApi } from '../src/server/openapi/openapi-document.js';
import { documentSchemas, type SchemaName } from '../src/server/openapi/openapi-operations.js';
import { playgroundPaths } from '../src/server/playground/playground-route.js';
import { Lifecycle } from '../src/server/requests/lifecycle.js';
import { type FakeServer, startFakeServer } from './server/start-server.js';
import { until } from './server/until.js';

/** Only what a compiler checks: each TypeScript type of an answer fits the schema that the document shows. */
type Writable<T> = T extends object ? { -readonly [Key in keyof T]: Writable<T[Key]> } : T;
type Fits<Answer, Schema extends z.ZodType> = Writable<Answer> extends z.input<Schema> ? true : never;
const typesFit: [
  Fits<CompletionResponse, typeof completionEvent>,
  Fits<ChatResponse, typeof chatAnswer>,
  Fits<ChatEvent, typeof chatEvent>,
] = [true, true, true];

interface Documented {
  readonly operationId: string;
  readonly security?: readonly object[];
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, unknown>> }>>;
}

interface ApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Documented>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly properties: Readonly<Record<string, unknown>> }>>;
    readonly securitySchemes?: object;
  };
}

const asDocument = (value: unknown): ApiDocument => value as ApiDocument;
const operationsOf = ({ paths }: ApiDocument): [string, Documented][] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Documented] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );

let server: FakeServer;
let apiDocument: ApiDocument;

beforeAll(async () => {
  server = await startFakeServer({ maxBodyBytes: 2000, naming: { aliases: new Map([['other', 'fake']]) } });
  apiDocument = asDocument(await (await fetch(`${server.url}/openapi.json`)).json());
});
afterAll(() => server[Symbol.asyncDispose]());

function send(path: string, body?: unknown): Promise<Response> {
  if (body === undefined) return fetch(server.url + path);
  return fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** Parsing drops what a schema does not know, so that an undocumented field shows as a difference. */
function expectDocumented(name: SchemaName, answer: unknown): void {
  expect(documentSchemas[name].parse(answer)).toEqual(answer);
}

/** Whether the document has the status, for this path and this media type. */
function expectStatusDocumented(method: 'get' | 'post', path: string, response: Response): void {
  const mediaType = response.headers.get('content-type')?.split(';')[0] ?? '';
  expect(apiDocument.paths[path]?.[method]?.responses[response.status]?.content).toHaveProperty([mediaType]);
}

describe('the document', () => {
  it('names every route of the app but the files of the playground, and no other', () => {
    const app = createApp({
      models: new ServedModels([server.served]),
      lifecycle: new Lifecycle(),
      maxBodyBytes: 1,
      logFault: () => {},
    });
    const routes = app.routes
      .filter(({ method, path }) => method !== 'ALL' && !playgroundPaths.includes(path))
      .map(({ method, path }) => `${method} ${path.replace(':id{.+}', '{id}')}`);
    expect(routes.length).toBeGreaterThan(20);
    expect(
      operationsOf(apiDocument)
        .map(([route]) => route)
        .toSorted(),
    ).toEqual(routes.toSorted());
  });

  it('has every field of a request, with what it must be', () => {
    const { properties } = apiDocument.components.schemas.CompletionRequest!;
    expect(Object.keys(properties)).toEqual(Object.keys(completionSchema.shape));
    expect(properties.temperature).toEqual({
      description: 'a number from 0 to 2',
      anyOf: [{ type: 'number', minimum: 0, maximum: 2 }, { type: 'null' }],
    });
    expect(properties.seed).toMatchObject({ type: ['integer', 'null'] });
  });

  it('is OpenAPI 3.1 with distinct operation ids, and all that it refers to is in it', () => {
    expect(apiDocument.openapi).toMatch(/^3\.1\./);
    const ids = operationsOf(apiDocument).map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const named = [...JSON.stringify(apiDocument).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    expect(named.length).toBeGreaterThan(20);
    for (const [, name] of named) expect(apiDocument.components.schemas).toHaveProperty(name as string);
    expect(JSON.stringify(apiDocument)).not.toMatch(/"\$(id|schema)"/);
  });

  it('asks for keys where the server does, and is itself protected there', async () => {
    expect(JSON.stringify(apiDocument)).not.toContain('"security');
    await using locked = await startFakeServer({ apiKeys: ['secret'] });
    expect((await fetch(`${locked.url}/openapi.json`)).status).toBe(401);
    const answer = await fetch(`${locked.url}/v1/openapi.json`, { headers: { 'x-api-key': 'secret' } });
    const described = asDocument(await answer.json());
    expect(described).toEqual(describeApi({ hasKeys: true }));
    for (const [route, { security, responses }] of operationsOf(described)) {
      const isOpen = (await fetch(locked.url + route.replace(/^\w+ /, ''))).status !== 401;
      expect([route, security === undefined, !('401' in responses)]).toEqual([route, isOpen, isOpen]);
    }
  });
});

describe('answers are as the document says', () => {
  const rich = {
    prompt: 'abc',
    max_tokens: 9,
    n: 2,
    seed: 1,
    return_token_ids: true,
    chunk_statistics: true,
  };
  const messages = [{ role: 'user', content: 'abc' }];
  const whole: [path: string, schema: SchemaName, body?: object][] = [
    ['/v1/completions', 'Completion', rich],
    ['/completions', 'Completion', { max_tokens: 0 }],
    ['/v1/chat/completions', 'ChatCompletion', { ...rich, messages }],
    ['/v1/models', 'ModelList'],
    ['/tokenize', 'Tokens', { prompt: 'abc', return_token_strs: true }],
    ['/detokenize', 'DetokenizedText', { tokens: [97] }],
    ['/tokenizer_info', 'TokenizerInfo'],
    ['/props', 'Props'],
    ['/slots', 'SlotList'],
    ['/version', 'Version'],
    ['/health', 'Health'],
    ['/readyz', 'Readiness'],
    ['/livez', 'Liveness'],
  ];
  it.each(whole)('%s', async (path, schema, body) => {
    const response = await send(path, body);
    expect(response.status).toBe(200);
    expectStatusDocumented(body ? 'post' : 'get', path, response);
    expectDocumented(schema, await response.json());
  });

  it('/v1/models/{id}', async () => {
    expectDocumented('Model', await (await send('/v1/models/other')).json());
  });

  it.each([
    ['/v1/completions', 'CompletionEvent', { prompt: 'abc' }],
    ['/v1/chat/completions', 'ChatCompletionEvent', { messages }],
  ] as const)('events of %s', async (path, schema, body) => {
    const stream = { stream: true, stream_options: { include_usage: true }, timings_per_token: true };
    const response = await send(path, { ...rich, ...body, ...stream });
    expectStatusDocumented('post', path, response);
    const data = [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(match => match[1] as string);
    expect(data.pop()).toBe('[DONE]');
    expect(data.length).toBeGreaterThan(5);
    for (const event of data) expectDocumented(schema, JSON.parse(event));
  });

  it.each([
    [400, '/v1/completions', '{'],
    [400, '/v1/chat/completions', {}],
    [404, '/v1/completions', { model: 'nobody' }],
    [413, '/tokenize', { prompt: 'a'.repeat(3000) }],
  ] as const)('an error of status %i from %s', async (status, path, body) => {
    const response = await send(path, body);
    expect(response.status).toBe(status);
    expectStatusDocumented('post', path, response);
    expectDocumented('Error', await response.json());
  });

  it('an error of status 429, with Retry-After', async () => {
    await using full = await startFakeServer({ slotCount: 1, maxWaiting: 1 });
    full.model.pause();
    const ask = (n: number) =>
      fetch(`${full.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ max_tokens: 4, n }),
      });
    const running = ask(2);
    await until(() => full.engine.stats().submitted === 2);
    const refused = await ask(1);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expectStatusDocumented('post', '/v1/completions', refused);
    expectDocumented('Error', await refused.json());
    full.model.resume();
    expectDocumented('Completion', await (await running).json());
  });

  it('an error of status 415', async () => {
    const response = await fetch(`${server.url}/detokenize`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(415);
    expectStatusDocumented('post', '/detokenize', response);
  });

  it('503 while the server drains, with the error of a request and the state of a probe', async () => {
    await using draining = await startFakeServer();
    draining.lifecycle.drain();
    expectDocumented('Readiness', await (await fetch(`${draining.url}/readyz`)).json());
    expectDocumented('Health', await (await fetch(`${draining.url}/health`)).json());
    const refused = await fetch(`${draining.url}/v1/completions`, { method: 'POST', body: '{}' });
    expectStatusDocumented('post', '/v1/completions', refused);
    expectDocumented('Error', await refused.json());
  });

  it('types and schemas are one', () => {
    expect(typesFit).toEqual([true, true, true]);
  });
});
