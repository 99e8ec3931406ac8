/** What a request gets that leaves a field out: the package's value, else OpenAI's or the paper's. */
import type { ServedModel } from './served-model.js';

const openAiMaxTokens = 16;
const openAiTemperature = 1;
/** The paper's N. */
const paperNumCandidates = 200;

/** Defaults of a completion; a chat's answer may by default be as long as the context has room for. */
export interface RequestDefaults {
  readonly temperature: number;
  readonly maxTokens: number;
  readonly numCandidates: number;
}

/** The defaults of one model. */
export function requestDefaults({ defaults }: Pick<ServedModel, 'defaults'>): RequestDefaults {
  return {
    temperature: defaults.temperature ?? openAiTemperature,
    maxTokens: defaults.max_tokens ?? openAiMaxTokens,
    numCandidates: defaults.num_candidates ?? paperNumCandidates,
  };
}
