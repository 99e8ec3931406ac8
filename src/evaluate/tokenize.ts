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

/** How much of the text is taken; everything where nothing is said. */
export interface TextLimits {
  /** Tokens in all. */
  readonly maxTokens?: number | undefined;
  /** First tokens of each document. */
  readonly documentTokens?: number | undefined;
}

/** Token ids of the documents in order, as far as the limits go. */
export function tokenizeDocuments(
  encoding: Encoding,
  texts: readonly string[],
  { maxTokens, documentTokens }: TextLimits = {},
): number[][] {
  const documents: number[][] = [];
  let left = maxTokens ?? Number.POSITIVE_INFINITY;
  for (const text of texts) {
    if (left <= 0) break;
    const tokens = encoding.encode(text).slice(0, Math.min(left, documentTokens ?? left));
    left -= tokens.length;
    documents.push(tokens);
  }
  return documents;
}
