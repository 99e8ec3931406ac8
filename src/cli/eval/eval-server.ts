/** `calm eval --url`: a model behind a completions server. */
import { CalmError } from '../../errors.js';
import { parseTarget } from '../../evaluate/completions-client.js';
import { readDocuments } from '../../evaluate/documents.js';
import { evaluateServer } from '../../evaluate/evaluate-server.js';
import { openPackageEncoding, tokenizeDocuments } from '../../evaluate/tokenize.js';
import { openPackage, resolvePackage } from '../../runtime/open-package.js';
import { modelsFolder } from '../default-models.js';
import type { EvalOptions } from './eval-options.js';
import { EvalProgress } from './progress.js';
import type { EvalReport } from './report.js';

const DEFAULT_SAMPLES = 4;

/** @throws CalmError with a sentence for the user */
export async function evalServer(url: string, options: EvalOptions): Promise<EvalReport> {
  const target = parseTarget(url);
  if (options.tokenizerFrom === undefined) {
    throw new CalmError(
      'bad_usage',
      '--url needs --tokenizer-from, a package with the tokenizer and chunk size of the served model.',
      { param: 'tokenizer-from' },
    );
  }
  const like = openPackage(resolvePackage(options.tokenizerFrom, modelsFolder));
  const encoding = openPackageEncoding(like);
  try {
    const documents = tokenizeDocuments(encoding, readDocuments(options.data), options);
    const progress = new EvalProgress(documents.flat().length, 'tokens');
    try {
      const evaluation = await evaluateServer(target, like.manifest, encoding, documents, {
        samples: options.samples ?? DEFAULT_SAMPLES,
        seed: options.seed,
        blockTokens: options.block,
        stride: options.stride,
        concatenate: options.concatenate,
        textPrompts: options.textPrompts,
        onProgress: tokens => progress.update(tokens),
      });
      return {
        model: url,
        data: options.data,
        documentTokens: options.documentTokens ?? null,
        ...evaluation,
      };
    } finally {
      progress.stop();
    }
  } finally {
    encoding.close();
  }
}
