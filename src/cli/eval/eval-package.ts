/** `calm eval --model`: a package on this machine. */
import { readDocuments } from '../../evaluate/documents.js';
import { evaluatePackage } from '../../evaluate/evaluate-package.js';
import { openPackageEncoding, tokenizeDocuments } from '../../evaluate/tokenize.js';
import { chooseDevice } from '../../runtime/device.js';
import { openPackage, resolvePackage } from '../../runtime/open-package.js';
import { OrtEnvironment } from '../../runtime/ort/environment.js';
import { OrtLibrary } from '../../runtime/ort/library.js';
import { modelsFolder } from '../default-models.js';
import type { EvalOptions } from './eval-options.js';
import { EvalProgress } from './progress.js';
import type { EvalReport } from './report.js';

/** Exact probabilities leave little to chance in a token model; a CALM's error falls with its draws. */
const DEFAULT_SAMPLES = { calm: 4, token: 2 } as const;

/** @throws CalmError with a sentence for the user */
export async function evalPackage(model: string, options: EvalOptions): Promise<EvalReport> {
  const source = openPackage(resolvePackage(model, modelsFolder));
  const { name, kind } = source.manifest;
  const documents = readTokens(source, options);
  const library = OrtLibrary.load(options.ortLibrary);
  const { device, note } = chooseDevice(library, options.device, source.manifest);
  if (note !== null) process.stderr.write(`${note}\n`);
  const environment = OrtEnvironment.open(library, { threads: options.threads });
  const progress = new EvalProgress(
    documents.reduce((sum, { length }) => sum + length, 0),
    'tokens',
  );
  try {
    const evaluation = await evaluatePackage(environment, source, device, documents, {
      samples: options.samples ?? DEFAULT_SAMPLES[kind],
      seed: options.seed,
      blockTokens: options.block,
      stride: options.stride,
      concatenate: options.concatenate,
      onProgress: tokens => progress.update(tokens),
    });
    return { model: name, data: options.data, ...evaluation };
  } finally {
    progress.stop();
    environment.close();
  }
}

function readTokens(source: ReturnType<typeof openPackage>, options: EvalOptions): number[][] {
  const encoding = openPackageEncoding(source);
  try {
    return tokenizeDocuments(encoding, readDocuments(options.data), options.maxTokens);
  } finally {
    encoding.close();
  }
}
