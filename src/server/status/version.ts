/** The version of this program, as its package.json has it. */
import { readFileSync } from 'node:fs';

export function readVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** GET /version: as vLLM answers, and what else the figures of a run depend on. */
export function describeVersions(onnxruntime?: string): Record<string, string> {
  return { version: readVersion(), ...(onnxruntime ? { onnxruntime } : {}), node: process.version };
}
