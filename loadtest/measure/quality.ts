/** What is known of a model's quality and cost, from options or from an evaluation that lies in its package. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../usage-error.js';

export interface Quality {
  readonly brierLm: number | null;
  readonly brierLmError: number | null;
  /** FLOPs per token by part; one part named "all" where only the sum is known. Empty where nothing is. */
  readonly flopsPerToken: Readonly<Record<string, number>>;
}

const evaluationSchema = z.looseObject({
  brierlm: z.number().nullish(),
  brierlm_stderr: z.number().nullish(),
  flops_per_token: z.union([z.number(), z.record(z.string(), z.number())]).nullish(),
  flops_per_token_parts: z.record(z.string(), z.number()).nullish(),
});

/** The file of a package that holds what `calm eval --json` printed. */
export const evaluationFile = 'eval.json';

export const unknownQuality: Quality = { brierLm: null, brierLmError: null, flopsPerToken: {} };

/**
 * Reads a package's evaluation.
 *
 * @returns what is not known as null where there is no such file
 * @throws UsageError where the file is there and is no evaluation
 */
export function readEvaluation(packageFolder: string): Quality {
  const file = join(packageFolder, evaluationFile);
  if (!existsSync(file)) return unknownQuality;
  try {
    const found = evaluationSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    const flops = found.flops_per_token_parts ?? found.flops_per_token ?? {};
    return {
      brierLm: found.brierlm ?? null,
      brierLmError: found.brierlm_stderr ?? null,
      flopsPerToken: typeof flops === 'number' ? { all: flops } : flops,
    };
  } catch {
    throw new UsageError(`The file ${file} must hold what \`calm eval --json\` prints.`);
  }
}

/** Reads the value of --brierlm: `6.1`, or with its standard error `6.1:0.2`. */
export function parseBrierLm(text: string): Pick<Quality, 'brierLm' | 'brierLmError'> {
  const match = /^(\d+(?:\.\d+)?)(?::(\d+(?:\.\d+)?))?$/.exec(text.trim());
  if (!match) {
    throw new UsageError(
      `--brierlm must look like name=6.1 or name=6.1:0.2. Given: ${JSON.stringify(text)}.`,
    );
  }
  return { brierLm: Number(match[1]), brierLmError: match[2] === undefined ? null : Number(match[2]) };
}

/** Reads the value of --flops: `4.4e8`, or by part `backbone:2.1e8,head:3e7`. */
export function parseFlops(text: string): Record<string, number> {
  const parts = text.split(',').map(part => {
    const [name, value] = part.includes(':') ? part.split(':', 2) : ['all', part];
    const flops = Number(value);
    if (name?.trim() && value?.trim() && flops > 0 && Number.isFinite(flops))
      return [name.trim(), flops] as const;
    throw new UsageError(
      `--flops must look like name=4.4e8 or name=backbone:2.1e8,head:3e7. Given: ${JSON.stringify(text)}.`,
    );
  });
  return Object.fromEntries(parts);
}
