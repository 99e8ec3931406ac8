/** What `calm eval` prints. */
import { type BrierRatio, brierRatio } from '../../evaluate/brier-ratio.js';
import type { Evaluation } from '../../evaluate/evaluation.js';

export interface EvalReport extends Evaluation {
  readonly model: string;
  readonly data: string;
  /** How much of each document was taken; null for all of it. */
  readonly documentTokens: number | null;
}

/** The first report's score over another's. */
export interface EvalComparison extends BrierRatio {
  readonly model: string;
  readonly reference: string;
}

/** The first report against each of the others. */
export function compareReports([first, ...others]: readonly EvalReport[]): EvalComparison[] {
  if (first === undefined) return [];
  return others.map(other => ({ model: first.model, reference: other.model, ...brierRatio(first, other) }));
}

/** One report, or several and what they say of each other, as one JSON object. */
export function evalJson(reports: readonly EvalReport[]): string {
  if (reports.length === 1) return JSON.stringify(reportFields(reports[0] as EvalReport));
  return JSON.stringify({
    evaluations: reports.map(reportFields),
    comparisons: compareReports(reports).map(({ model, reference, ratio, ratioStderr }) => ({
      model,
      reference,
      ratio,
      ratio_stderr: ratioStderr,
    })),
  });
}

function reportFields(report: EvalReport): object {
  return {
    model: report.model,
    data: report.data,
    brierlm: report.brierlm,
    brierlm_stderr: report.brierlmStderr,
    brier: report.brier,
    autoencoder_accuracy: report.autoencoderAccuracy,
    autoencoder_accuracy_clean: report.autoencoderAccuracyClean,
    autoencoder_accuracy_random: report.autoencoderAccuracyRandom,
    flops_per_token: report.flopsPerToken,
    flops_per_token_parts: report.flopsPerTokenParts,
    tokens: report.tokens,
    document_tokens: report.documentTokens,
    documents: report.documents,
    positions: report.positions,
    samples: report.samples,
    block_tokens: report.blockTokens,
    stride: report.stride,
  };
}

/** The reports as lines for people. */
export function evalText(reports: readonly EvalReport[]): string {
  if (reports.length === 1) return reportText(reports[0] as EvalReport);
  const parts = reports.map(report => `${report.model}\n${reportText(report)}`);
  return [...parts, ...compareReports(reports).map(comparisonText)].join('\n\n');
}

function comparisonText({ model, reference, ratio, ratioStderr }: EvalComparison): string {
  if (ratio === null) return `${model} over ${reference}: no ratio, for one of the scores is 0`;
  const error = ratioStderr === null ? '' : ` +- ${ratioStderr.toFixed(3)} (paired over documents)`;
  return `${model} over ${reference}: ${ratio.toFixed(3)}${error}`;
}

function reportText(report: EvalReport): string {
  const { brierlm, brierlmStderr, autoencoderAccuracy, autoencoderAccuracyClean } = report;
  const random = report.autoencoderAccuracyRandom;
  const error = brierlmStderr === null ? '' : ` +- ${brierlmStderr.toFixed(3)}`;
  const lines = [
    `BrierLM      ${brierlm.toFixed(3)}${error} (standard error over ${report.documents} documents or blocks)`,
    `Brier-1..4   ${report.brier.map(score => score.toFixed(3)).join('  ')} %`,
    `scored       ${report.positions} positions ${report.stride} tokens apart in ${report.tokens} tokens of ${report.data}${firstTokens(report)}`,
    `with         blocks of ${report.blockTokens} tokens, ${report.samples} samples a position`,
  ];
  if (autoencoderAccuracy !== null && autoencoderAccuracyClean !== null && random !== null) {
    lines.push(
      `autoencoder  ${percent(autoencoderAccuracy)} of tokens come back under posterior noise, ${percent(autoencoderAccuracyClean)} without, ${percent(random)} of random ones`,
    );
  }
  if (report.flopsPerToken !== null) {
    lines.push(`FLOPs/token  ${report.flopsPerToken.toExponential(2)} at full context, one candidate a step`);
  }
  return lines.join('\n');
}

function firstTokens({ documentTokens }: EvalReport): string {
  return documentTokens === null ? '' : `, the first ${documentTokens} of each document`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(3)} %`;
}
