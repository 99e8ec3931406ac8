import { afterAll, expect, it } from 'vitest';
import { editManifest, type GoldenCase, GoldenPackages } from '../../tests/golden-package.js';
import { loadModel, loadModelAside } from './load-model.js';
import type { LanguageModel } from './model.js';
import { openPackage } from './open-package.js';
import { OrtEnvironment } from './ort/environment.js';
import { OrtLibrary } from './ort/library.js';

const packages = new GoldenPackages();
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });
afterAll(() => {
  environment.close();
  packages.remove();
});

const options = { slots: 2, device: 'cpu' } as const;

async function firstTokens(model: LanguageModel): Promise<unknown> {
  const sampling = { temperature: 1, numCandidates: 1, seed: 5, choice: 0 };
  const chunk = Array.from({ length: model.chunkSize }, (_, i) => i + 1);
  const { choices } = await model.step({ prefill: [], decode: [{ position: 0, chunk, step: 0, sampling }] });
  return choices;
}

/** How often the event loop comes round while a promise is pending. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work.finally(() => {
    isOver = true;
  });
  return turns;
}

it.each<GoldenCase>(['energy-k4', 'llama-tied-gqa'])(
  'leaves the event loop free, and gives the model that loadModel gives: %s',
  async name => {
    const source = openPackage(packages.convert(name, 'int8'));
    const loading = loadModelAside(environment, source, options);
    expect(await turnsDuring(loading)).toBeGreaterThan(1);
    const { model } = await loading;
    const { model: expected } = loadModel(environment, source, options);
    expect(await firstTokens(model)).toEqual(await firstTokens(expected));
    model.close();
    expected.close();
  },
);

it('says what is wrong with a package, and leaves nothing open', async () => {
  const broken = packages.copy(packages.convert('llama-tied-gqa', 'fp32'), 'broken');
  editManifest(broken, ({ graphs }) => {
    graphs.step!.initializers.pop();
  });
  const loading = loadModelAside(environment, openPackage(broken), options);
  await expect(loading).rejects.toMatchObject({
    code: 'bad_package',
    message: expect.stringMatching(/step\.onnx.*Convert/),
  });
});
