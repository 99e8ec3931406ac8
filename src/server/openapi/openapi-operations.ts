/** What the OpenAPI document says of each route: what it takes, what it answers, and with which statuses. */
import type { z } from 'zod';
import { chatSchema } from '../chat/chat-schema.js';
import { completionSchema } from '../completions/completion-schema.js';
import { detokenizeSchema, tokenizeSchema } from '../tokenize/tokenize-schema.js';
import {
  chatAnswer,
  chatEvent,
  completionAnswer,
  completionEvent,
  errorAnswer,
  healthAnswer,
  livenessAnswer,
  modelAnswer,
  modelsAnswer,
  propsAnswer,
  readinessAnswer,
  slotsAnswer,
  textAnswer,
  tokenizerAnswer,
  tokensAnswer,
  versionAnswer,
} from './openapi-answers.js';

/** The schemas by the name that the document gives them. */
export const documentSchemas = {
  CompletionRequest: completionSchema,
  Completion: completionAnswer,
  CompletionEvent: completionEvent,
  ChatCompletionRequest: chatSchema,
  ChatCompletion: chatAnswer,
  ChatCompletionEvent: chatEvent,
  Model: modelAnswer,
  ModelList: modelsAnswer,
  TokenizeRequest: tokenizeSchema,
  Tokens: tokensAnswer,
  DetokenizeRequest: detokenizeSchema,
  DetokenizedText: textAnswer,
  TokenizerInfo: tokenizerAnswer,
  Props: propsAnswer,
  SlotList: slotsAnswer,
  Version: versionAnswer,
  Health: healthAnswer,
  Readiness: readinessAnswer,
  Liveness: livenessAnswer,
  Error: errorAnswer,
} satisfies Readonly<Record<string, z.ZodType>>;

export type SchemaName = keyof typeof documentSchemas;

/** Statuses of failures; 401 is every protected route's where the server has keys, and 500 everyone's. */
export type FailureStatus = 400 | 404 | 408 | 413 | 415 | 429 | 503;

export interface Operation {
  readonly method: 'get' | 'post';
  /** Without /v1, in OpenAPI's form. */
  readonly path: string;
  /** Answered under /v1 too. */
  readonly versioned: boolean;
  readonly id: string;
  readonly tag: 'generation' | 'models' | 'tokenizer' | 'operations';
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly body?: SchemaName;
  /** JSON, or the media type of an answer that is none. */
  readonly answer: SchemaName | { readonly mediaType: string };
  /** The events of a streamed answer. */
  readonly event?: SchemaName;
  /** A 503 of the probes has the form of their 200. */
  readonly failures: readonly FailureStatus[];
  /** Answers without a key. */
  readonly isPublic?: boolean;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly description: string;
}

const modelParameter: Parameter = {
  name: 'model',
  in: 'query',
  description: 'A served model; the first by default.',
};

const bodyFailures = [400, 404, 408, 413, 415] as const;
const generationFailures = [...bodyFailures, 429, 503] as const;

/** Every route, in the order in which it is read. */
export const operations: readonly Operation[] = [
  {
    method: 'post',
    path: '/completions',
    versioned: true,
    id: 'createCompletion',
    tag: 'generation',
    summary: 'Continue a text, or several.',
    body: 'CompletionRequest',
    answer: 'Completion',
    event: 'CompletionEvent',
    failures: generationFailures,
  },
  {
    method: 'post',
    path: '/chat/completions',
    versioned: true,
    id: 'createChatCompletion',
    tag: 'generation',
    summary: 'Answer in a conversation.',
    body: 'ChatCompletionRequest',
    answer: 'ChatCompletion',
    event: 'ChatCompletionEvent',
    failures: generationFailures,
  },
  {
    method: 'get',
    path: '/models',
    versioned: true,
    id: 'listModels',
    tag: 'models',
    summary: 'The served models; the first answers requests that name none.',
    answer: 'ModelList',
    failures: [],
  },
  {
    method: 'get',
    path: '/models/{id}',
    versioned: true,
    id: 'getModel',
    tag: 'models',
    summary: 'One served model.',
    parameters: [
      {
        name: 'id',
        in: 'path',
        description: "The model's name, or an alias of it; it may hold slashes.",
      },
    ],
    answer: 'Model',
    failures: [404],
  },
  {
    method: 'post',
    path: '/tokenize',
    versioned: true,
    id: 'tokenize',
    tag: 'tokenizer',
    summary: 'The token ids of a text or of a conversation.',
    body: 'TokenizeRequest',
    answer: 'Tokens',
    failures: bodyFailures,
  },
  {
    method: 'post',
    path: '/detokenize',
    versioned: true,
    id: 'detokenize',
    tag: 'tokenizer',
    summary: 'The text of token ids.',
    body: 'DetokenizeRequest',
    answer: 'DetokenizedText',
    failures: bodyFailures,
  },
  {
    method: 'get',
    path: '/tokenizer_info',
    versioned: true,
    id: 'getTokenizer',
    tag: 'tokenizer',
    summary: "What is known of a model's tokenizer.",
    parameters: [modelParameter],
    answer: 'TokenizerInfo',
    failures: [400, 404],
  },
  {
    method: 'get',
    path: '/props',
    versioned: false,
    id: 'getProps',
    tag: 'operations',
    summary: "A model's context, slots, defaults and chat template, under llama-server's names.",
    parameters: [modelParameter],
    answer: 'Props',
    failures: [404],
  },
  {
    method: 'get',
    path: '/slots',
    versioned: false,
    id: 'getSlots',
    tag: 'operations',
    summary: 'The slots of a model, and which of them are taken.',
    parameters: [
      modelParameter,
      { name: 'fail_on_no_slot', in: 'query', description: '1 for a 503 where all slots are taken.' },
    ],
    answer: 'SlotList',
    failures: [404, 503],
  },
  {
    method: 'get',
    path: '/version',
    versioned: true,
    id: 'getVersion',
    tag: 'operations',
    summary: 'The version of the server.',
    answer: 'Version',
    failures: [],
  },
  {
    method: 'get',
    path: '/openapi.json',
    versioned: true,
    id: 'getDocument',
    tag: 'operations',
    summary: 'This document.',
    answer: { mediaType: 'application/json' },
    failures: [],
  },
  {
    method: 'get',
    path: '/health',
    versioned: true,
    id: 'getHealth',
    tag: 'operations',
    summary: 'Whether requests are taken, and the load of each model.',
    answer: 'Health',
    failures: [503],
    isPublic: true,
  },
  {
    method: 'get',
    path: '/readyz',
    versioned: false,
    id: 'getReadiness',
    tag: 'operations',
    summary: 'Whether requests are taken.',
    answer: 'Readiness',
    failures: [503],
    isPublic: true,
  },
  {
    method: 'get',
    path: '/livez',
    versioned: false,
    id: 'getLiveness',
    tag: 'operations',
    summary: 'Whether the process works.',
    answer: 'Liveness',
    failures: [],
    isPublic: true,
  },
  {
    method: 'get',
    path: '/metrics',
    versioned: false,
    id: 'getMetrics',
    tag: 'operations',
    summary: "Metrics in Prometheus' text format.",
    answer: { mediaType: 'text/plain' },
    failures: [],
  },
];
