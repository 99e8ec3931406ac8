/** What deploy/ and the Dockerfile name of this project exists: metrics, labels, settings, files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listSettings } from '../src/cli/settings.js';
import { startFakeServer } from './server/start-server.js';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** Prometheus expressions of the dashboard, by the title of their panel. */
function dashboardExpressions(): [string, string][] {
  const { panels } = JSON.parse(read('deploy/grafana/dashboards/calm-serve.json')) as { panels: Panel[] };
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }): [string, string] => [`panel ${title}`, expr]),
  );
}

/** Expressions of the alerts, by name; a block of several lines ends where the indentation does. */
function alertExpressions(): [string, string][] {
  const rules = read('deploy/prometheus/calm-serve.rules.yml');
  const alert = /- alert: (\w+)\n +expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)/g;
  const found = [...rules.matchAll(alert)].map(([, name, block, line]): [string, string] => [
    `alert ${name}`,
    block ?? line ?? '',
  ]);
  expect(found.length).toBe(rules.match(/- alert:/g)?.length);
  return found;
}

/** Names that an expression reads, and the labels that it groups by or selects. */
function readExpression(expression: string): { names: string[]; labels: string[] } {
  const groups = [...expression.matchAll(/\b(?:by|without|on|ignoring) *\(([^)]*)\)/g)];
  const selectors = [...expression.matchAll(/\{([^}]*)\}/g)];
  const labels = [
    ...groups.flatMap(([, list]) => list!.split(',').map(label => label.trim())),
    ...selectors.flatMap(([, list]) =>
      [...list!.matchAll(/(\w+) *(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
    ),
  ];
  const plain = expression
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(?:by|without|on|ignoring) *\([^)]*\)/g, ' ');
  const words = [...plain.matchAll(/[a-zA-Z_:][\w:]*(?! *\(|[\w:])/g)].map(([word]) => word);
  return { names: words.filter(word => !['and', 'or', 'unless'].includes(word)), labels };
}

it('dashboard and alerts read metrics that the server has, by labels that they have', async () => {
  await using server = await startFakeServer();
  server.monitor.metrics.includeProcess();
  await server.client.completions.create({
    model: 'fake',
    prompt: 'a',
    max_tokens: 8,
    top_p: 0.5,
    suffix: 'b',
  });
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const labelsByName = new Map<string, Set<string>>();
  for (const [, name, labels = ''] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/gm)) {
    const known = labelsByName.get(name!) ?? new Set();
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!);
    labelsByName.set(name!, known);
  }
  // Prometheus itself adds these.
  labelsByName.set('up', new Set());
  const added = ['instance', 'job'];

  const expressions = [...dashboardExpressions(), ...alertExpressions()];
  expect(expressions.length).toBeGreaterThan(30);
  const read = expressions.map(([place, expression]) => ({ place, ...readExpression(expression) }));
  expect(read.flatMap(({ names }) => names)).toContain('calm:draws_per_chunk_bucket');
  const wrong = read.flatMap(({ place, names, labels }) => [
    ...names.filter(name => !labelsByName.has(name)).map(name => `${place}: no metric ${name}`),
    ...names.flatMap(name =>
      labels
        .filter(label => !added.includes(label) && !labelsByName.get(name)?.has(label))
        .map(label => `${place}: ${name} has no label ${label}`),
    ),
  ]);
  expect(read.every(({ names }) => names.length > 0)).toBe(true);
  expect(wrong).toEqual([]);
});

it('every CALM_ variable in the container and service files is a setting', () => {
  const files = [
    'Dockerfile',
    ...readdirSync(join(root, 'deploy'), { recursive: true, encoding: 'utf8' })
      .filter(name => /\.(yaml|yml|service)$/.test(name))
      .map(name => `deploy/${name}`),
  ];
  const settings = listSettings().map(({ variable }) => variable);
  // Variables of the compose files themselves.
  const own = ['CALM_IMAGE_DEVICE', 'CALM_MODELS_FOLDER'];
  const named = files.flatMap(file => [...read(file).matchAll(/\bCALM_[A-Z_]*[A-Z]/g)].map(([name]) => name));
  expect(named.length).toBeGreaterThan(8);
  expect(named.filter(name => !settings.includes(name) && !own.includes(name))).toEqual([]);
});

it('what the Dockerfile copies from the checkout reaches its builder', () => {
  const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, list]) =>
    list!.split(' '),
  );
  const sent = [...read('.dockerignore').matchAll(/^!(.*)$/gm)].map(([, name]) => name!);
  expect([...new Set(copied)].toSorted()).toEqual(sent.toSorted());
  expect(copied.filter(name => !existsSync(join(root, name)))).toEqual([]);
});

it('what the compose file mounts from the checkout is there, and Grafana starts with the dashboard', () => {
  const compose = read('deploy/compose.yaml');
  const mounts = [...compose.matchAll(/^ +- (\.[^:\s]*):(\/[^:\s]+)(?::ro)?$/gm)].map(([, from, to]) => ({
    from: join('deploy', from!),
    to: to!,
  }));
  expect(mounts.map(({ from }) => from)).toEqual([
    'deploy/prometheus',
    'deploy/grafana/provisioning',
    'deploy/grafana/dashboards',
  ]);
  /** The file of the checkout that a path inside a container means. */
  const onDisk = (path: string): string => {
    const mount = mounts.find(({ to }) => path.startsWith(to));
    return join(root, mount?.from ?? 'not mounted', path.slice(mount?.to.length ?? 0));
  };
  const home = /GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: (\S+)/.exec(compose)?.[1] ?? '';
  const provider = /path: (\S+)/.exec(read('deploy/grafana/provisioning/dashboards/calm-serve.yaml'))?.[1];
  const rules = /rule_files:\n +- (\S+)/.exec(read('deploy/prometheus/prometheus.yml'))?.[1];
  for (const path of [home, provider ?? '', `/etc/prometheus/${rules}`, '/etc/prometheus/prometheus.yml']) {
    expect([path, existsSync(onDisk(path))]).toEqual([path, true]);
  }
  const targets = /targets: \["(\w[\w-]*):(\d+)"\]/.exec(read('deploy/prometheus/prometheus.yml'));
  expect(compose).toContain(`\n  ${targets?.[1]}:\n`);
  expect(read('Dockerfile')).toContain(`CALM_PORT=${targets?.[2]}`);
});
