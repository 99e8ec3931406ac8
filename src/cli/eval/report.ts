/** What `calm eval` prints. */
import type { Evaluation } from '../../evaluate/evaluation.js';

export interface EvalReport extends Evaluation {
  readonly model: string;
  readonly data: string;
}

/** The report as one JSON object. */
export function evalJson(report: EvalReport): string {
  return JSON.stringify({
    model: report.model,
    data: report.data,
    brierlm: report.brierlm,
    brierlm_stderr: report.brierlmStderr,
    brier: report.brier,
    autoencoder_accuracy: report.autoencoderAccuracy,
    autoencoder_accuracy_clean: report.autoencoderAccuracyClean,
    flops_per_token: report.flopsPerToken,
    flops_per_token_parts: report.flopsPerTokenParts,
    tokens: report.tokens,
    documents: report.documents,
    positions: report.positions,
    samples: report.samples,
    block_tokens: report.blockTokens,
    stride: report.stride,
  });
}

/** The report as lines for people. */
export function evalText(report: EvalReport): string {
  const { brierlm, brierlmStderr, autoencoderAccuracy, autoencoderAccuracyClean } = report;
  const error = brierlmStderr === null ? '' : ` +- ${brierlmStderr.toFixed(3)}`;
  const lines = [
    `BrierLM      ${brierlm.toFixed(3)}${error} (standard error over ${report.documents} documents or blocks)`,
    `Brier-1..4   ${report.brier.map(score => score.toFixed(3)).join('  ')} %`,
    `scored       ${report.positions} positions ${report.stride} tokens apart in ${report.tokens} tokens of ${report.data}`,
    `with         blocks of ${report.blockTokens} tokens, ${report.samples} samples a position`,
  ];
  if (autoencoderAccuracy !== null && autoencoderAccuracyClean !== null) {
    lines.push(
      `autoencoder  ${percent(autoencoderAccuracy)} of tokens come back under posterior noise, ${percent(autoencoderAccuracyClean)} without`,
    );
  }
  if (report.flopsPerToken !== null) {
    lines.push(`FLOPs/token  ${report.flopsPerToken.toExponential(2)} at full context, one candidate a step`);
  }
  return lines.join('\n');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(3)} %`;
}
