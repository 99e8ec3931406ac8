/** `calm verify`: is this package the model that PyTorch computed? */
import type { Command } from 'commander';
import { chooseDevice } from '../runtime/device.js';
import { openPackage, resolvePackage } from '../runtime/open-package.js';
import { OrtEnvironment } from '../runtime/ort/environment.js';
import { OrtLibrary } from '../runtime/ort/library.js';
import { modelsFolder } from './default-models.js';
import { addModelOptions, type ModelOptions } from './model-options.js';
import type { Check } from './verify/check.js';
import { readGolden } from './verify/golden.js';
import { verifyPackage } from './verify/verify-package.js';

interface VerifyOptions extends Pick<ModelOptions, 'device' | 'ortLibrary'> {
  readonly golden: string;
  readonly json?: true;
}

const examples = `
Examples:
  calm verify stories-k2 --golden models/stories-k2/golden.safetensors
  calm verify ./calm-m-fp16 --golden golden.safetensors --device cuda --json`;

/** Adds the sub-command to the program. */
export function registerVerify(program: Command): void {
  const command = program
    .command('verify')
    .description(
      "Compare a package's graphs with outputs that PyTorch recorded; exit code 1 above a tolerance.",
    )
    .argument('<package>', 'package folder, or the name of a model that comes with calm-serve')
    .requiredOption('--golden <file>', 'recorded outputs, a golden.safetensors file')
    .option('--json', 'print the checks as one JSON object');
  // The recorded outputs are a CPU's: whoever wants another device compared with them says so.
  addModelOptions(command, ['device', 'ortLibrary'], { device: 'cpu' })
    .addHelpText('after', examples)
    .action(async (name: string, options: VerifyOptions) => {
      const checks = await runChecks(name, options);
      const ok = checks.every(check => check.ok);
      console.log(options.json ? JSON.stringify({ ok, checks: checks.map(toJson) }) : table(checks));
      if (!ok) process.exitCode = 1;
    });
}

async function runChecks(name: string, options: VerifyOptions): Promise<Check[]> {
  const source = openPackage(resolvePackage(name, modelsFolder));
  const golden = readGolden(options.golden);
  const library = OrtLibrary.load(options.ortLibrary);
  const environment = OrtEnvironment.open(library);
  try {
    const { device, note } = chooseDevice(library, options.device, source.manifest);
    if (note) process.stderr.write(`${note}\n`);
    return await verifyPackage(environment, source, golden, device);
  } finally {
    environment.close();
  }
}

/** JSON knows no infinity: what could not be compared at all has an error of null. */
function toJson(check: Check): Omit<Check, 'error'> & { error: number | null } {
  return { ...check, error: Number.isFinite(check.error) ? check.error : null };
}

function table(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(check => check.name.length));
  const lines = checks.map(
    ({ name, error, tolerance, ok }) =>
      `${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(width)}  error ${error.toExponential(2)}  tolerance ${tolerance}`,
  );
  const failed = checks.filter(check => !check.ok).length;
  return [
    ...lines,
    failed === 0 ? 'All checks passed.' : `${failed} of ${checks.length} checks failed.`,
  ].join('\n');
}
