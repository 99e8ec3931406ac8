/** The rules of docs/architecture.md that a compiler does not check: imports go one way, no cycles, no barrels. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const source = join(root, 'src');

/** Which folders (or single files) of src each folder may import from, beside itself. */
const allowedImports: Record<string, readonly string[]> = {
  'errors.ts': [],
  'float16.ts': [],
  sampler: ['errors.ts'],
  tokenizer: ['errors.ts'],
  runtime: ['errors.ts', 'sampler'],
  convert: ['errors.ts', 'float16.ts', 'runtime/manifest.ts', 'tokenizer/ranks.ts'],
  evaluate: ['errors.ts', 'runtime', 'sampler', 'tokenizer'],
  server: ['errors.ts', 'runtime', 'sampler', 'tokenizer'],
  cli: ['errors.ts', 'float16.ts', 'runtime', 'sampler', 'tokenizer', 'convert', 'evaluate', 'server'],
};

/** The same for what stands in src/server, from what knows nothing of models up to the app. */
const allowedServerImports: Record<string, readonly string[]> = {
  'excerpt.ts': [],
  http: ['excerpt.ts'],
  models: [],
  playground: [],
  telemetry: ['models'],
  requests: ['models', 'telemetry'],
  generation: ['excerpt.ts', 'models'],
  'server-context.ts': ['generation', 'http', 'models', 'requests'],
  answers: ['generation', 'http', 'models', 'requests', 'server-context.ts'],
  completions: ['answers', 'generation', 'models', 'requests', 'server-context.ts'],
  chat: ['answers', 'excerpt.ts', 'generation', 'models', 'requests', 'server-context.ts'],
  tokenize: ['chat', 'generation', 'http', 'models', 'requests', 'server-context.ts'],
  status: ['models', 'requests', 'server-context.ts'],
  openapi: ['chat', 'completions', 'status', 'tokenize'],
  'loading-app.ts': ['http', 'playground', 'requests', 'server-context.ts', 'status'],
  'app.ts': [
    ...['chat', 'completions', 'http', 'openapi', 'playground', 'requests', 'status', 'tokenize'],
    'server-context.ts',
  ],
  'listen.ts': ['app.ts', 'http', 'loading-app.ts', 'requests', 'server-context.ts'],
};

/** Native code, and the packages that only one folder may know. */
const packageOwners: Record<string, readonly string[]> = {
  koffi: ['runtime/ort'],
  'onnxruntime-node': ['runtime/ort'],
  hono: ['server'],
  pino: ['server/telemetry'],
  'prom-client': ['server/telemetry'],
  '@hono/node-server': ['server'],
  tiktoken: ['tokenizer'],
  '@huggingface/jinja': ['tokenizer'],
  protobufjs: ['convert'],
  commander: ['cli'],
  'cli-progress': ['cli'],
};

interface SourceFile {
  /** Path from src, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Paths from src of the project's own files that it imports. */
  readonly imports: readonly string[];
  readonly packages: readonly string[];
}

function readSources(): SourceFile[] {
  const files = readdirSync(source, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map(entry => join(entry.parentPath, entry.name));
  return files.map(file => {
    const text = readFileSync(file, 'utf8');
    const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
      match => match[1] as string,
    );
    const own = specifiers.filter(specifier => specifier.startsWith('.'));
    return {
      path: relative(source, file).replaceAll('\\', '/'),
      text,
      imports: own.map(specifier =>
        relative(source, resolve(dirname(file), specifier.replace(/\.js$/, '.ts'))).replaceAll('\\', '/'),
      ),
      packages: specifiers.filter(specifier => !specifier.startsWith('.') && !specifier.startsWith('node:')),
    };
  });
}

const files = readSources();
const isWithin = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`);

/** Imports that a table does not allow, of the files in a folder of src to others in it; '' for src itself. */
function findForbiddenImports(base: string, allowed: Record<string, readonly string[]>): string[] {
  const start = base === '' ? '' : `${base}/`;
  return files
    .filter(file => file.path.startsWith(start))
    .flatMap(file => {
      const folder = file.path.slice(start.length).split('/')[0] as string;
      const places = [folder, ...(allowed[folder] ?? [])].map(place => start + place);
      return file.imports
        .filter(target => target.startsWith(start) && !places.some(place => isWithin(target, place)))
        .map(target => `${file.path} imports ${target}`);
    });
}

function findCycle(): string[] | null {
  const byPath = new Map(files.map(file => [file.path, file]));
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (finished.has(path)) return null;
    for (const next of byPath.get(path)?.imports ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle) return cycle;
    }
    finished.add(path);
    return null;
  };
  for (const file of files) {
    const cycle = visit(file.path, []);
    if (cycle) return cycle;
  }
  return null;
}

describe('architecture', () => {
  it('sees the sources', () => {
    expect(files.length).toBeGreaterThan(5);
    expect(files.some(file => file.imports.length > 0)).toBe(true);
  });

  it('lets imports go one way between the folders', () => {
    expect(findForbiddenImports('', allowedImports)).toEqual([]);
  });

  it('lets imports go one way between the folders of the server', () => {
    expect(findForbiddenImports('server', allowedServerImports)).toEqual([]);
  });

  it('has no table of directions that goes in a circle', () => {
    for (const table of [allowedImports, allowedServerImports]) {
      const names = Object.keys(table);
      for (const [index, name] of names.entries()) {
        const later = table[name]?.filter(place => names.indexOf(place.split('/')[0] as string) >= index);
        expect(later, name).toEqual([]);
      }
    }
  });

  it('keeps every package in the folder that owns it', () => {
    const wrong = files.flatMap(file =>
      file.packages
        .filter(name => {
          const owners = packageOwners[name] ?? packageOwners[name.split('/')[0] as string];
          return owners && !owners.some(place => isWithin(file.path, place));
        })
        .map(name => `${file.path} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it('has no import cycle', () => {
    expect(findCycle()).toBeNull();
  });

  it('has no barrels', () => {
    expect(files.filter(file => /(^|\/)index\.ts$/.test(file.path)).map(file => file.path)).toEqual([]);
    const reexports = files.filter(file => /^export\s+(\*|\{[^}]*\})\s+from/m.test(file.text));
    expect(reexports.map(file => file.path)).toEqual([]);
  });

  it('has no mutable state at module level', () => {
    const wrong = files.filter(file => /^(export\s+)?(let|var)\s/m.test(file.text));
    expect(wrong.map(file => file.path)).toEqual([]);
  });

  it('names only files that there are in README.md and docs/', () => {
    const pages = [
      'README.md',
      ...readdirSync(join(root, 'docs'), { recursive: true }).map(name => `docs/${name}`),
    ];
    const named = pages
      .filter(page => page.endsWith('.md'))
      .flatMap(page => {
        const paths = readFileSync(join(root, page), 'utf8').matchAll(
          /(?<![\w/])(?:src|tests|scripts|loadtest|train|deploy)\/[\w./-]*\w/g,
        );
        return [...paths].map(([path]) => ({ page, path }));
      });
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter(({ path }) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('keeps files short enough to read, tests, scripts and training too', () => {
    const paths = ['src', 'tests', 'scripts', 'loadtest', 'train/calm_train', 'train/tests'].flatMap(folder =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile() && /\.(ts|js|py)$/.test(entry.name))
        .map(entry => join(entry.parentPath, entry.name)),
    );
    expect(paths.length).toBeGreaterThan(500);
    const lines = (path: string): number => readFileSync(path, 'utf8').split('\n').length - 1;
    expect(paths.filter(path => lines(path) > 300).map(path => relative(root, path))).toEqual([]);
  });
});
