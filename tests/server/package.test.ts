/** The suite that any model must pass, on the package that `calm serve` serves by default, or on CALM_TEST_PACKAGE. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { defaultModels, modelsFolder } from '../../src/cli/default-models.js';
import { openModels } from '../../src/cli/open-models.js';
import type { Engine } from '../../src/runtime/engine.js';
import { openPackage, resolvePackage } from '../../src/runtime/open-package.js';
import { describeCompletions, type EngineServer } from './completion-suite.js';
import { startServer } from './start-server.js';

const slotCount = 8;

function findPackage(): string | null {
  const named = process.env.CALM_TEST_PACKAGE;
  if (named) return resolvePackage(named, modelsFolder);
  return existsSync(join(modelsFolder, 'default.json'))
    ? resolvePackage(defaultModels()[0]!, modelsFolder)
    : null;
}

const directory = findPackage();
if (directory === null) {
  describe('completions of a model package', () => {
    it.skip('there is no models/default.json, and CALM_TEST_PACKAGE names no package', () => {});
  });
} else {
  const { manifest } = openPackage(directory);
  const start = async (): Promise<EngineServer> => {
    const opened = openModels([{ model: directory }], { device: 'cpu', threads: 1, maxNumSeqs: slotCount });
    const [model] = opened.models;
    const server = await startServer(opened.models);
    return {
      ...server,
      engine: model.engine as Engine,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await opened[Symbol.asyncDispose]();
      },
    };
  };
  describeCompletions(`completions of ${manifest.name}`, start, {
    model: manifest.name,
    prompt: 'Once upon a time',
    chunkSize: manifest.chunk_size,
    slotCount,
    longTokens: manifest.backbone.max_positions * manifest.chunk_size,
  });
}
