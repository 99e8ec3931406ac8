/** From text to token ids with a package's own tokenizer. */
import { readFileSync } from 'node:fs';
import { CalmError } from '../errors.js';
import { type ModelPackage, packageFile } from '../runtime/open-package.js';
import { type Encoding, openEncoding } from '../tokenizer/encoding.js';

/**
 * The tokenizer of a package; the caller closes it.
 * @throws CalmError bad_package where it has none, bad_tokenizer where it cannot be used
 */
export function openPackageEncoding(source: ModelPackage): Encoding {
  const { name, tokenizer } = source.manifest;
  if (tokenizer === null) {
    throw new CalmError(
      'bad_package',
      `The package ${name} has no tokenizer, so it cannot read text; convert the model again with --tokenizer.`,
    );
  }
  return openEncoding({
    ranks: readFileSync(packageFile(source, tokenizer.file)),
    pattern: tokenizer.pattern,
    specialTokens: tokenizer.special_tokens,
  });
}

/** Token ids of the documents in order, cut off after `maxTokens` of them in all. */
export function tokenizeDocuments(
  encoding: Encoding,
  texts: readonly string[],
  maxTokens = Number.POSITIVE_INFINITY,
): number[][] {
  const documents: number[][] = [];
  let left = maxTokens;
  for (const text of texts) {
    if (left <= 0) break;
    const tokens = encoding.encode(text).slice(0, left);
    left -= tokens.length;
    documents.push(tokens);
  }
  return documents;
}
