import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { declareMetrics } from './metric-families.js';

describe('docs/operations.md', () => {
  it('lists every metric with its type and meaning, and no other', async () => {
    const registry = new Registry();
    declareMetrics(registry);
    const metrics = await registry.getMetricsAsJSON();
    const rows = metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
    const page = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
    const listed = page.split('\n').filter(line => /^\| `(vllm|calm|http)[:_]/.test(line));
    expect(listed).toEqual(rows);
  });
});
