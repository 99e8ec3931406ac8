/** The options of `calm eval` after commander has read them. */
import type { ModelOptions } from '../model-options.js';

export interface EvalOptions extends Pick<ModelOptions, 'device' | 'ortLibrary' | 'threads'> {
  /** One to score; more to compare the first one with the others. */
  readonly model?: readonly string[];
  readonly data: string;
  readonly block?: number;
  readonly samples?: number;
  readonly stride?: number;
  readonly concatenate?: true;
  readonly maxTokens?: number;
  readonly documentTokens?: number;
  readonly seed: number;
  readonly url?: string;
  readonly tokenizerFrom?: string;
  readonly textPrompts?: true;
  readonly json?: true;
}
