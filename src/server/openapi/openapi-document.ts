/** GET /openapi.json: the OpenAPI 3.1 document, made of the very schemas that requests are checked against. */
import { z } from 'zod';
import { readVersion } from '../status/version.js';
import { documentSchemas, type Operation, operations, type SchemaName } from './openapi-operations.js';

type Json = Record<string, unknown>;

const statusTexts: Readonly<Record<number, string>> = {
  400: 'The body is no JSON, or a field is wrong or cannot be honoured, or the prompt does not fit.',
  401: 'The request carries none of the keys.',
  404: 'There is no such model.',
  408: 'The request took longer than the server allows.',
  413: 'The body is larger than the server allows.',
  415: 'The body is not declared as JSON.',
  429: 'The queue is full.',
  500: "The server's own failure; its log has the request id.",
  503: 'The server drains, its models are not loaded yet, or there is no free slot and the request asked to be told.',
};

const requestId = {
  'x-request-id': {
    description: "The client's own id, or one that was made up; the log has it too.",
    schema: { type: 'string' },
  },
};
const retryAfter = {
  'retry-after': {
    description: 'Seconds after which to try again.',
    required: true,
    schema: { type: 'integer' },
  },
};
const headersByStatus: Readonly<Record<number, Json>> = {
  401: { 'www-authenticate': { required: true, schema: { type: 'string' } } },
  408: {
    'x-should-retry': {
      description: 'Keeps clients of OpenAI from sending again what took too long.',
      schema: { type: 'string' },
    },
  },
  429: retryAfter,
  503: retryAfter,
};
const ignoredParams = {
  'x-calm-ignored-params': {
    description: 'Fields that the model cannot honour and that were ignored, with commas between them.',
    schema: { type: 'string' },
  },
};

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
};

/**
 * The document of a server.
 *
 * @param hasKeys whether requests must carry an API key
 */
export function describeApi({ hasKeys }: { readonly hasKeys: boolean }): Json {
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    for (const prefix of operation.versioned ? ['/v1', ''] : ['']) {
      paths[`${prefix}${operation.path}`] = {
        [operation.method]: describeOperation(operation, prefix, hasKeys),
      };
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'calm-serve',
      version: readVersion(),
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        "OpenAI's completions and chat completions for Continuous Autoregressive Language Models, with a few fields " +
        "of vLLM's and of its own. Every path also answers with a slash at the end. Fields that are not listed are " +
        'ignored. The description of a field of a request completes the sentence "the field must be ...".',
    },
    paths,
    components: {
      schemas: componentSchemas(),
      ...(hasKeys ? { securitySchemes } : {}),
    },
  };
}

function describeOperation(operation: Operation, prefix: string, hasKeys: boolean): Json {
  const { id, tag, summary, parameters, body, isPublic, failures } = operation;
  const wantsKey = hasKeys && !isPublic;
  const statuses = [...failures, ...(wantsKey ? [401] : []), 500].toSorted((one, other) => one - other);
  return {
    operationId: prefix === '' ? id : `${id}V1`,
    tags: [tag],
    summary,
    ...(wantsKey ? { security: Object.keys(securitySchemes).map(name => ({ [name]: [] })) } : {}),
    ...(parameters
      ? {
          parameters: parameters.map(parameter => ({
            ...parameter,
            required: parameter.in === 'path',
            schema: { type: 'string', ...(parameter.in === 'path' ? { minLength: 1 } : {}) },
          })),
        }
      : {}),
    ...(body ? { requestBody: { required: true, content: json(refer(body)) } } : {}),
    responses: {
      200: describeAnswer(operation),
      ...Object.fromEntries(statuses.map(status => [status, describeFailure(status, operation)])),
    },
  };
}

function describeAnswer({ answer, event, body }: Operation): Json {
  const content =
    typeof answer === 'string'
      ? json(refer(answer))
      : { [answer.mediaType]: { schema: answer.mediaType === 'text/plain' ? { type: 'string' } : {} } };
  return {
    description: event ? 'The whole answer, or its events where `stream` is true.' : 'The answer.',
    headers: { ...requestId, ...(event && body ? ignoredParams : {}) },
    content: { ...content, ...(event ? { 'text/event-stream': { schema: describeEvent(event) } } : {}) },
  };
}

/** OpenAPI 3.1 has no word for the events of a stream; tools take the schema of such an answer for that of one event. */
function describeEvent(event: SchemaName): Json {
  return {
    type: 'object',
    description:
      `An event. Its data is one line of JSON: a ${event}; after a failure an Error, with which the stream ends; or, ` +
      'as the last event of a stream that did not fail, the word [DONE].',
    required: ['data'],
    properties: {
      data: {
        anyOf: [
          {
            type: 'string',
            contentMediaType: 'application/json',
            contentSchema: { anyOf: [refer(event), refer('Error')] },
          },
          { const: '[DONE]' },
        ],
      },
    },
  };
}

function describeFailure(status: number, { answer, isPublic }: Operation): Json {
  const isProbe = isPublic && status === 503 && typeof answer === 'string';
  return {
    description: statusTexts[status],
    headers: { ...requestId, ...(isProbe ? {} : headersByStatus[status]) },
    content: json(refer(isProbe ? answer : 'Error')),
  };
}

function json(schema: Json): Json {
  return { 'application/json': { schema } };
}

function refer(name: SchemaName): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(documentSchemas)) registry.add(schema, { id });
  // As what comes in: a client should not depend on there being no further fields in an answer.
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    uri: id => `#/components/schemas/${id}`,
  });
  return Object.fromEntries(Object.entries(schemas).map(([id, { $schema, $id, ...schema }]) => [id, schema]));
}
