/** Model packages for tests, converted from the golden checkpoints into a temporary folder. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convertCheckpoint } from '../src/convert/convert.js';
import { goldenFolder } from './reference/golden-file.js';

export type GoldenCase = 'energy-k4' | 'energy-k2-bin-bf16' | 'flow-k4' | 'diffusion-k4' | 'llama-tied-gqa';

/** A temporary folder of packages; `remove` deletes it. */
export class GoldenPackages {
  readonly folder = mkdtempSync(join(tmpdir(), 'calm-packages-'));

  /** Converts a golden checkpoint; returns the package's folder. */
  convert(name: GoldenCase, weights: 'fp32' | 'int8' | 'int4' | 'fp16'): string {
    const out = join(this.folder, `${name}-${weights}`);
    const autoencoder = name === 'llama-tied-gqa' ? undefined : goldenFolder(name, 'autoencoder');
    convertCheckpoint({
      checkpoint: goldenFolder(name, 'checkpoint'),
      autoencoder,
      out,
      weights,
      force: true,
    });
    return out;
  }

  /** A copy of a package, to be damaged. */
  copy(directory: string, name: string): string {
    const target = join(this.folder, name);
    cpSync(directory, target, { recursive: true });
    return target;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Rewrites a package's manifest through a function on its parsed JSON. */
export function editManifest(directory: string, edit: (manifest: ManifestJson) => void): void {
  const file = join(directory, 'manifest.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as ManifestJson;
  edit(manifest);
  writeFileSync(file, JSON.stringify(manifest));
}

/** As much of a manifest's shape as tests damage. */
export interface ManifestJson {
  version: number;
  vocab_size: unknown;
  activation_type: string;
  graphs: Record<string, { file: string; initializers: string[] }>;
  weights: { file: string; tensors: Record<string, { shape: number[]; offset: number; bytes: number }> };
}
