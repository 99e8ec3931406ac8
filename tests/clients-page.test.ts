/** The versions in docs/clients.md are those that the tests and scripts run with. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Version and tester of each client, by its name in the table. */
const rows = new Map(
  read('docs/clients.md')
    .split('\n')
    .flatMap((line): [string, { version: string; tester: string }][] => {
      const [, name, version, tester, ...rest] = line.split('|').map(cell => cell.trim());
      return rest.length === 1 && name ? [[name, { version: version ?? '', tester: tester ?? '' }]] : [];
    }),
);

const installed = JSON.parse(read('package-lock.json')) as {
  packages: Record<string, { version: string } | undefined>;
};

it.each([
  ['openai (npm)', ['openai']],
  ['ai with @ai-sdk/openai-compatible (npm)', ['ai', '@ai-sdk/openai-compatible']],
])('%s: as in package-lock.json', (client, packages) => {
  const versions = packages.map(name => installed.packages[`node_modules/${name}`]?.version);
  expect(rows.get(client)?.version).toBe(versions.join(', '));
});

const scripted = [...rows].filter(([, { tester }]) => tester.includes('`scripts/'));

it('knows the clients that scripts run', () => {
  expect(scripted.map(([name]) => name)).toEqual([
    'openai (Python)',
    'llm',
    'LiteLLM, client and proxy',
    'LangChain (langchain-openai)',
    'Open WebUI',
  ]);
});

it.each(scripted)('%s: as its script pins it', (_, { version, tester }) => {
  const script = /`(scripts\/[^`]+)`/.exec(tester)?.[1] ?? '';
  expect(/^(?:const )?version ?= ?'?([\d.]+)'?;?$/m.exec(read(script))?.[1]).toBe(version);
});
