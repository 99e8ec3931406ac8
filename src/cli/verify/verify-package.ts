/** A package against a golden file: all checks that both allow. */

import { DEFAULT_HEAD_STEPS } from '../../convert/head-schedule.js';
import { CalmError } from '../../errors.js';
import type { CalmManifest } from '../../runtime/manifest.js';
import type { ModelPackage } from '../../runtime/open-package.js';
import type { OrtEnvironment } from '../../runtime/ort/environment.js';
import type { Device } from '../../runtime/ort/memory.js';
import type { Check } from './check.js';
import { checkCalm } from './check-calm.js';
import { checkToken } from './check-token.js';
import type { CalmGolden, Golden } from './golden.js';
import { GraphRunner } from './graph-runner.js';

/** @throws CalmError bad_golden where the file was recorded from another kind or shape of model. */
export async function verifyPackage(
  environment: OrtEnvironment,
  source: ModelPackage,
  golden: Golden,
  device: Device,
): Promise<Check[]> {
  const { manifest } = source;
  const runner = new GraphRunner(environment, source, device, golden.inputIds.shape[0] ?? 1);
  try {
    if (manifest.kind === 'calm' && golden.kind === 'calm') {
      expectSize('hidden', golden.hidden.shape[2], manifest.backbone.hidden_size);
      expectSize('tokens', golden.tokens.shape[2], manifest.chunk_size);
      expectSize('logits', golden.logits.shape[3], manifest.vocab_size);
      expectSize('latent', golden.latent.shape[2], manifest.head.latent_size);
      const { kind, noise_size, latent_size } = manifest.head;
      expectSize('noise', golden.noise.shape.at(-1), kind === 'energy' ? noise_size : latent_size);
      requireRecordedSteps(manifest, golden);
      return await checkCalm(runner, manifest, golden);
    }
    if (manifest.kind === 'token' && golden.kind === 'token') {
      expectSize('logits', golden.logits.shape[2], manifest.vocab_size);
      return await checkToken(runner, manifest, golden);
    }
    throw new CalmError(
      'bad_golden',
      `The package ${manifest.name} is of kind "${manifest.kind}", but the golden file was recorded from kind "${golden.kind}".`,
    );
  } finally {
    runner.close();
  }
}

/** Upstream's sampler has a fixed number of steps, and so has what it recorded. */
function requireRecordedSteps({ name, head }: CalmManifest, { noise }: CalmGolden): void {
  if (head.kind === 'energy') return;
  const recorded = head.kind === 'flow' ? DEFAULT_HEAD_STEPS.flow : (noise.shape[2] ?? 0) - 1;
  if (head.steps === recorded) return;
  throw new CalmError(
    'bad_golden',
    `The golden file was recorded with ${recorded} steps of the ${head.kind} head, and the package ${name} takes ` +
      `${head.steps}; convert it with --head-steps ${recorded}.`,
    { param: 'noise' },
  );
}

function expectSize(tensor: string, found: number | undefined, wanted: number): void {
  if (found === wanted) return;
  throw new CalmError(
    'bad_golden',
    `The golden tensor ${tensor} has a last axis of ${found}, but the package has ${wanted}: it was recorded from another model.`,
    { param: tensor },
  );
}
