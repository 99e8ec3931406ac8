import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundledLibraryFile, OrtLibrary } from './library.js';

describe('bundledLibraryFile', () => {
  it.each([
    ['linux', 'x64', 'libonnxruntime.so.1'],
    ['linux', 'arm64', 'libonnxruntime.so.1'],
    ['darwin', 'arm64', 'libonnxruntime.1.dylib'],
    ['win32', 'x64', 'onnxruntime.dll'],
  ] as const)('finds the library for %s/%s', (platform, arch, name) => {
    const file = bundledLibraryFile(platform, arch);
    expect(file.endsWith(name)).toBe(true);
    expect(existsSync(file)).toBe(true);
  });

  it('says what to do where the package has none', () => {
    expect(() => bundledLibraryFile('linux', 'riscv64')).toThrow(
      /linux\/riscv64; name a library file with --ort-library/,
    );
    expect(() => bundledLibraryFile('aix', 'x64')).toThrow(/aix\/x64/);
  });
});

describe('OrtLibrary', () => {
  it('loads the bundled library and calls it', () => {
    const library = OrtLibrary.load();
    expect(library.version).toMatch(/^1\.\d+\.\d+$/);
    const options = library.make('create session options', out => library.api.CreateSessionOptions(out));
    library.api.ReleaseSessionOptions(options);
  });

  it("turns a status into an error with ONNX Runtime's own words, and releases it", () => {
    const library = OrtLibrary.load();
    let released = 0;
    const counting = Object.create(library, {
      api: {
        value: {
          ...library.api,
          ReleaseStatus: (status: bigint) => {
            released += 1;
            library.api.ReleaseStatus(status);
          },
        },
      },
    }) as OrtLibrary;
    const wrongDevice = () =>
      counting.make('describe memory', out => library.api.CreateMemoryInfo('Moon', 0, 0, 0, out));
    expect(wrongDevice).toThrow(
      /^ONNX Runtime could not describe memory: .*specified device is not supported/i,
    );
    expect(released).toBe(1);
  });

  it('refuses what is no ONNX Runtime', () => {
    const folder = mkdtempSync(join(tmpdir(), 'calm-library-'));
    const text = join(folder, 'libonnxruntime.so');
    writeFileSync(text, 'not a library');
    try {
      expect(() => OrtLibrary.load(text)).toThrow(/libonnxruntime\.so cannot be loaded as ONNX Runtime/);
      expect(() => OrtLibrary.load(join(folder, 'missing.so'))).toThrow(/missing\.so cannot be loaded/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
