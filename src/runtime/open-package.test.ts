import { cpSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { editManifest, GoldenPackages, type ManifestJson } from '../../tests/golden-package.js';
import { CalmError } from '../errors.js';
import { listPackages, openPackage, resolvePackage } from './open-package.js';

const packages = new GoldenPackages();
const whole = packages.convert('energy-k2-bin-bf16', 'fp32');
afterAll(() => packages.remove());

let copies = 0;
function damaged(damage: (directory: string) => void): string {
  copies += 1;
  const directory = packages.copy(whole, `damaged-${copies}`);
  damage(directory);
  return directory;
}

/** The sentence with which a package is refused. */
function refusal(directory: string): string {
  try {
    openPackage(directory);
  } catch (error) {
    expect(error).toBeInstanceOf(CalmError);
    expect((error as CalmError).code).toBe('bad_package');
    expect((error as CalmError).message).not.toContain('\n');
    return (error as CalmError).message;
  }
  throw new Error('The package was accepted.');
}

function refusalAfter(edit: (manifest: ManifestJson) => void): string {
  return refusal(damaged(directory => editManifest(directory, edit)));
}

describe('openPackage', () => {
  it('reads a package that the converter wrote', () => {
    const { manifest, directory } = openPackage(whole);
    expect(directory).toBe(whole);
    expect(manifest.kind).toBe('calm');
    expect(manifest.chunk_size).toBe(2);
  });

  it('names a missing folder', () => {
    expect(refusal('/no/such/model')).toContain('/no/such/model does not exist');
  });

  it('names what is no JSON, and what describes something else', () => {
    expect(refusal(damaged(at => writeFileSync(join(at, 'manifest.json'), '{"format":')))).toMatch(
      /manifest\.json is not valid JSON/,
    );
    expect(refusal(damaged(at => writeFileSync(join(at, 'manifest.json'), '{"name": "x"}')))).toContain(
      'does not describe a calm-serve model package',
    );
    expect(refusal(damaged(at => rmSync(join(at, 'manifest.json'))))).toContain('cannot be read');
  });

  it('tells a newer version before it judges anything else', () => {
    const message = refusalAfter(manifest => {
      manifest.version = 2;
      manifest.vocab_size = 'changed in version 2';
    });
    expect(message).toContain('has version 2, but this calm-serve reads version 1; update calm-serve');
  });

  it('names the field that is wrong', () => {
    const message = refusalAfter(manifest => {
      manifest.vocab_size = -4;
    });
    expect(message).toContain('wrong at vocab_size');
  });

  it('names a graph that serving needs, and a graph file that is missing', () => {
    const message = refusalAfter(manifest => {
      delete manifest.graphs.step;
    });
    expect(message).toContain('has no graph "step"');
    expect(refusal(damaged(at => rmSync(join(at, 'draw.onnx'))))).toContain('lacks the file draw.onnx');
  });

  it('reaches no file outside the package', () => {
    const message = refusalAfter(manifest => {
      manifest.weights.file = '../other/model.onnx.data';
    });
    expect(message).toContain('"../other/model.onnx.data"');
  });

  it('names weights that are missing, short or of another size than their shape', () => {
    expect(refusal(damaged(at => rmSync(join(at, 'model.onnx.data'))))).toContain('lacks its weights');
    expect(refusal(damaged(at => truncateSync(join(at, 'model.onnx.data'), 1000)))).toMatch(
      /has 1000 bytes, but the tensor \S+ ends at byte \d+/,
    );
    const message = refusalAfter(manifest => {
      const [tensor] = Object.values(manifest.weights.tensors);
      if (tensor) tensor.shape = [1, ...tensor.shape, 2];
    });
    expect(message).toMatch(/gives the tensor \S+ \d+ bytes, but its shape/);
  });

  it('names a tensor that a graph uses and the manifest does not list', () => {
    const message = refusalAfter(manifest => {
      manifest.graphs.step?.initializers.push('toString');
    });
    expect(message).toContain('uses the tensor toString');
  });

  it('checks the request defaults', () => {
    const wrong = damaged(at => writeFileSync(join(at, 'generation_config.json'), '{"temperature": "hot"}'));
    expect(refusal(wrong)).toMatch(/generation_config\.json is wrong at temperature/);
  });
});

describe('resolvePackage', () => {
  const models = join(packages.folder, 'models');
  mkdirSync(models);
  cpSync(whole, join(models, 'stories'), { recursive: true });
  mkdirSync(join(models, 'empty'));

  it('takes a path, or the name of a package in the folder of models', () => {
    expect(resolvePackage(whole, models)).toBe(whole);
    expect(resolvePackage('stories', models)).toBe(join(models, 'stories'));
    expect(listPackages(models)).toEqual(['stories']);
  });

  it('says what there is where there is no such model', () => {
    expect(() => resolvePackage('story', models)).toThrow(/no model "story".*\(stories\)/);
    expect(() => resolvePackage('story', '/no/folder')).toThrow(/\(none\)/);
    expect(() => resolvePackage('empty', models)).toThrow('The folder empty holds no manifest.json');
  });
});
