/** `calm eval --model`: packages on this machine. */
import { CalmError } from '../../errors.js';
import { commonLayout } from '../../evaluate/blocks.js';
import { readDocuments } from '../../evaluate/documents.js';
import { evaluatePackage, layoutModelOf } from '../../evaluate/evaluate-package.js';
import { openPackageEncoding, tokenizeDocuments } from '../../evaluate/tokenize.js';
import { chooseDevice } from '../../runtime/device.js';
import { type ModelPackage, openPackage, resolvePackage } from '../../runtime/open-package.js';
import { OrtEnvironment } from '../../runtime/ort/environment.js';
import { OrtLibrary } from '../../runtime/ort/library.js';
import { modelsFolder } from '../default-models.js';
import type { EvalOptions } from './eval-options.js';
import { EvalProgress } from './progress.js';
import type { EvalReport } from './report.js';

/** Exact probabilities leave little to chance in a token model; a CALM's error falls with its draws. */
const DEFAULT_SAMPLES = { calm: 4, token: 2 } as const;

/**
 * One report for each package, in order, all of the same documents at the same places.
 * @throws CalmError with a sentence for the user
 */
export async function evalPackages(models: readonly string[], options: EvalOptions): Promise<EvalReport[]> {
  const sources = models.map(model => openPackage(resolvePackage(model, modelsFolder)));
  const texts = sources.map(source => readTokens(source, options));
  requireSameTokens(sources, texts);
  const documents = texts[0] as number[][];
  const layout = commonLayout(
    sources.map(({ manifest }) => layoutModelOf(manifest)),
    { blockTokens: options.block, stride: options.stride },
  );
  const library = OrtLibrary.load(options.ortLibrary);
  const environment = OrtEnvironment.open(library, { threads: options.threads });
  try {
    const reports: EvalReport[] = [];
    for (const source of sources) {
      reports.push(await evalPackage(environment, library, source, documents, { ...options, ...layout }));
    }
    return reports;
  } finally {
    environment.close();
  }
}

async function evalPackage(
  environment: OrtEnvironment,
  library: OrtLibrary,
  source: ModelPackage,
  documents: readonly (readonly number[])[],
  options: EvalOptions & { readonly blockTokens: number; readonly stride: number },
): Promise<EvalReport> {
  const { name, kind } = source.manifest;
  const { device, note } = chooseDevice(library, options.device, source.manifest);
  if (note !== null) process.stderr.write(`${note}\n`);
  const progress = new EvalProgress(
    documents.reduce((sum, { length }) => sum + length, 0),
    'tokens',
  );
  try {
    const evaluation = await evaluatePackage(environment, source, device, documents, {
      samples: options.samples ?? DEFAULT_SAMPLES[kind],
      seed: options.seed,
      blockTokens: options.blockTokens,
      stride: options.stride,
      concatenate: options.concatenate,
      onProgress: tokens => progress.update(tokens),
    });
    return { model: name, data: options.data, documentTokens: options.documentTokens ?? null, ...evaluation };
  } finally {
    progress.stop();
  }
}

/** BrierLM of other tokens is on another scale. */
function requireSameTokens(sources: readonly ModelPackage[], texts: readonly (readonly number[][])[]): void {
  const [first, ...others] = texts.map(documents => JSON.stringify(documents));
  const index = others.findIndex(text => text !== first);
  if (index === -1) return;
  const [one, other] = [sources[0], sources[index + 1]].map(source => source?.manifest.name);
  throw new CalmError(
    'bad_usage',
    `${one} and ${other} read this text as different tokens, so their scores cannot be compared; evaluate them one by one.`,
    { param: 'model' },
  );
}

function readTokens(source: ModelPackage, options: EvalOptions): number[][] {
  const encoding = openPackageEncoding(source);
  try {
    return tokenizeDocuments(encoding, readDocuments(options.data), options);
  } finally {
    encoding.close();
  }
}
