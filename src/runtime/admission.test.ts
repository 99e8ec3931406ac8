import { expect, it } from 'vitest';
import type { TokenControls } from '../sampler/settings.js';
import { checkRequest } from './admission.js';
import type { GenerationRequest } from './request.js';

const request: GenerationRequest = {
  promptTokens: [1],
  maxTokens: 1,
  minTokens: 0,
  sampling: { temperature: 1, numCandidates: 1, seed: 0, choice: 0 },
  stopTokenIds: [],
};

const withControls = (controls: TokenControls): GenerationRequest => ({
  ...request,
  sampling: { ...request.sampling, controls },
});

it.each<[string, GenerationRequest]>([
  ['max_tokens', { ...request, maxTokens: 0 }],
  ['min_tokens', { ...request, minTokens: -1 }],
  ['temperature', { ...request, sampling: { ...request.sampling, temperature: Number.NaN } }],
  ['top_p', withControls({ topP: 1.1 })],
  ['top_k', withControls({ topK: 0 })],
  ['top_k', withControls({ topK: 2.5 })],
  ['min_p', withControls({ minP: Number.NaN })],
  ['presence_penalty', withControls({ presencePenalty: -2.5 })],
  ['frequency_penalty', withControls({ frequencyPenalty: 3 })],
  ['repetition_penalty', withControls({ repetitionPenalty: 0 })],
  ['min_tokens', withControls({ minTokens: -1 })],
  ['logit_bias', withControls({ logitBias: new Map([[1, Number.NaN]]) })],
  ['logprobs', { ...request, sampling: { ...request.sampling, logprobs: 21 } }],
  ['logprobs', { ...request, promptLogprobs: -1 }],
])('refuses %s out of its bounds', (param, wrong) => {
  expect(() => checkRequest(wrong)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
});

it('takes what is within them', () => {
  const controls = {
    topP: 0,
    topK: 1,
    minP: 1,
    presencePenalty: -2,
    frequencyPenalty: 2,
    repetitionPenalty: 0.1,
    minTokens: 5,
    logitBias: new Map([[3, Number.NEGATIVE_INFINITY]]),
  };
  const sampling = { ...request.sampling, controls, logprobs: 20 };
  expect(() => checkRequest({ ...request, sampling, promptLogprobs: 0 })).not.toThrow();
});
