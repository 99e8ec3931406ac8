/** Every format shows every figure, and what went wrong. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeReport, makeRow } from '../testing/report.js';
import { reportCharts } from './charts.js';
import { reportCsv } from './csv.js';
import { reportHtml } from './html.js';
import { reportJson } from './json.js';
import { reportMarkdown } from './markdown.js';
import { isClean } from './report.js';
import { findWarnings } from './warnings.js';
import { writeReport } from './write-report.js';

describe('reportJson', () => {
  const json = JSON.parse(reportJson(makeReport()));

  it('has the keys that tools read', () => {
    expect(json.rows[0]).toMatchObject({
      target: 'calm',
      model: 'stories',
      mode: 'closed',
      concurrency: 1,
      requests: 16,
      failed: 0,
      tokens_per_second: 500,
      tokens_per_second_range: [400, 600],
      ttft_ms: { p50: 20, p95: 29, p99: 29.8 },
      inter_chunk_ms: { p50: 2.5 },
      per_token_ms: { p50: 0.5 },
      e2e_ms: { p50: 110 },
      client_cores: 0.2,
      server_cores: 1.8,
      goodput_share: 0.875,
    });
    expect(json.costs).toEqual([
      {
        target: 'calm',
        model: 'stories',
        temperature: 1,
        draws_per_chunk: 1,
        flops_per_token: 3e6,
        flops_per_token_parts: { backbone: 2e6, head: 1e6 },
      },
      {
        target: 'token',
        model: 'stories "AR", 1',
        temperature: null,
        draws_per_chunk: null,
        flops_per_token: 4e6,
        flops_per_token_parts: { all: 4e6 },
      },
    ]);
    expect(json.targets.map(({ sampling }: { sampling: unknown }) => sampling)).toEqual([
      { top_p: 1, top_k: 0, min_p: 0 },
      { top_p: 1 },
      null,
    ]);
    expect(json.rows[4]).toMatchObject({ mode: 'open', concurrency: null, rate_per_second: 2.5 });
    expect(json.comparisons[0]).toMatchObject({
      target: 'calm',
      baseline: 'token',
      tokens_per_second_ratio: 2,
    });
  });

  it('says which target failed and why', () => {
    expect(json.ok).toBe(false);
    expect(json.targets.map(({ problem }: { problem: string | null }) => problem)).toEqual([
      null,
      null,
      'Cannot reach <it>: nothing listens | there.',
    ]);
    expect(json.rows[3].failures).toEqual([
      { code: 'dropped', count: 2, example: 'It closed the connection.' },
    ]);
    expect(json.raw[0].failures).toEqual([
      { code: 'repetition_loop', count: 1, example: 'The answer ends in a loop.' },
    ]);
  });

  it('never shows a key', () => {
    const report = makeReport();
    const [first, ...rest] = report.targets;
    if (!first) throw new Error('No target.');
    const secret = { ...first, target: { ...first.target, apiKey: 'sk-secret' } };
    const withKey = { ...report, targets: [secret, ...rest] };
    for (const text of [
      reportJson(withKey),
      reportMarkdown(withKey),
      reportHtml(withKey),
      reportCsv(withKey),
    ]) {
      expect(text).not.toContain('sk-secret');
    }
  });
});

describe('isClean', () => {
  const { targets, rawRows } = makeReport();
  const clean = makeReport({
    targets: targets.slice(0, 2),
    rows: [makeRow()],
    rawRows: rawRows.map(row => ({ ...row, failed: 0 })),
  });

  it('wants every target measured and every answer right', () => {
    expect(isClean(clean)).toBe(true);
    expect(isClean(makeReport({ ...clean, targets }))).toBe(false);
    expect(isClean(makeReport({ ...clean, rows: [makeRow({ failed: 1 })] }))).toBe(false);
    expect(isClean(makeReport({ ...clean, rawRows }))).toBe(false);
  });
});

describe('reportMarkdown', () => {
  it('shows comparison, figures, failures and method', () => {
    const text = reportMarkdown(makeReport());
    expect(text).toContain('| calm | token | 1 at a time | 1 | 2.00 (1.60–2.30) |');
    expect(text).toContain('500 (400–600)');
    expect(text).toContain('**Failed:** Cannot reach <it>');
    expect(text).toContain('| token | 8 at a time | 1 | dropped | 2 | It closed the connection. |');
    expect(text).toContain('| calm | 8 connections | 1 | repetition_loop | 1 | The answer ends in a loop. |');
    expect(text).toContain('**Note:** The machine was not idle.');
    expect(text).toContain('88 %, 3.50 /s');
    expect(text).toContain('4 tokens a step) at http://127.0.0.1:1 (server 0.1.0, ONNX Runtime 1.2.3)');
  });

  it('keeps every line of a table at the same number of cells', () => {
    const tables = reportMarkdown(makeReport())
      .split('\n\n')
      .filter(part => part.startsWith('|'));
    expect(tables.length).toBeGreaterThanOrEqual(5);
    for (const table of tables) {
      const cells = table.split('\n').map(line => line.replaceAll('\\|', '').split('|').length);
      expect(new Set(cells).size, table).toBe(1);
    }
  });
});

describe('reportCsv', () => {
  it('has one line for each row and quotes what needs it', () => {
    const lines = reportCsv(makeReport()).trimEnd().split('\r\n');
    expect(lines).toHaveLength(7);
    const head = lines[0]?.split(',') ?? [];
    const first = lines[1]?.split(',') ?? [];
    expect(first).toHaveLength(head.length);
    expect(first[head.indexOf('tokens_per_second')]).toBe('500');
    expect(first[head.indexOf('ttft_ms_p95')]).toBe('29');
    expect(lines[2]).toMatch(/^token,"stories ""AR"", 1",closed,1,,/);
  });

  it('says what failed, of streamed answers and of short ones', () => {
    const lines = reportCsv(makeReport()).trimEnd().split('\r\n');
    expect(lines[4]).toMatch(/,2 dropped: It closed the connection\.$/);
    expect(lines[6]).toMatch(/^calm,stories,raw,,,1,,100,1,760,/);
    expect(lines[6]).toMatch(/,8,9,20,,1 repetition_loop: The answer ends in a loop\.$/);
    expect(lines[6]?.split(',')).toHaveLength(lines[0]?.split(',').length ?? 0);
  });
});

describe('reportHtml', () => {
  const page = reportHtml(makeReport());

  it('holds everything itself, without script', () => {
    expect(page.match(/<script|<link|<img|<iframe|\bsrc=|@import|url\((?!#)|cursor/gi)).toBeNull();
    expect(page.match(/https?:\/\/(?!127\.0\.0\.1|www\.w3\.org)/g)).toBeNull();
  });

  it('escapes what came from outside', () => {
    expect(page).toContain('Cannot reach &lt;it&gt;');
    expect(page).toContain('stories &quot;AR&quot;');
    const named = makeReport({ command: '<b>' });
    expect(reportHtml(named)).toContain('<pre>&lt;b&gt;</pre>');
  });

  it('escapes names inside charts', () => {
    const report = makeReport();
    const targets = report.targets.map(target => ({ ...target, target: { ...target.target, name: '<i>' } }));
    for (const { svg } of reportCharts({ ...report, targets })) expect(svg).not.toContain('<i>');
  });
});

describe('reportCharts', () => {
  const titles = (changes: Parameters<typeof makeReport>[0]) =>
    reportCharts(makeReport(changes)).map(({ title }) => title.split(/[,:]/)[0]);

  it('draws what there are figures for', () => {
    expect(titles({})).toEqual([
      'Throughput',
      'Time to first token',
      'Time per token',
      'End to end',
      'Throughput',
      'Time to first token',
      'Time per token',
      'End to end',
      'Tokens/s at 8 at a time and T = 1 against BrierLM with its standard error (up and right is better)',
      'Where FLOPs per token go',
    ]);
    expect(titles({ rows: [], targets: makeReport().targets.slice(2) })).toEqual([]);
  });

  it('puts BrierLM, which is of temperature 1, beside no other temperature', () => {
    const rows = [makeRow({ temperature: 0.5 })];
    expect(titles({ rows }).join()).not.toContain('BrierLM');
  });

  it('draws a bar of cost for each temperature, with the draws that it took', () => {
    const report = makeReport({
      rows: [makeRow(), makeRow({ temperature: 0.5, draws: { draws: 623, chunks: 10 } })],
    });
    const cost = reportCharts(report).find(({ title }) => title.startsWith('Where FLOPs'));
    for (const text of ['T = 1, 1 draw a chunk', 'T = 0.5, 62.3 draws a chunk', 'one candidate a chunk']) {
      expect(cost?.svg).toContain(text);
    }
    const text = reportMarkdown(report);
    expect(text).toContain('| calm | T = 1, 1 draw a chunk | 3.00 | backbone 2.00, head 1.00 |');
    expect(text).toContain('| calm | T = 0.5, 62.3 draws a chunk | 64.3 | backbone 2.00, head 62.3 |');
    expect(text).toContain('| token | one candidate a chunk | 4.00 | – |');
  });

  it('draws SVG with a line, a whisker and a name for each target', () => {
    const [throughput] = reportCharts(makeReport());
    expect(throughput?.svg).toMatch(/^<svg [\s\S]*<\/svg>$/);
    for (const text of ['calm', 'token', 'tokens/s', 'requests at a time', '#0072b2', '#d55e00']) {
      expect(throughput?.svg).toContain(text);
    }
    expect(throughput?.svg).not.toContain('NaN');
  });
});

describe('findWarnings', () => {
  const { machine, settings, rawRows, targets } = makeReport();
  const fine = {
    machine,
    settings,
    repetitions: settings.repetitions,
    targets: targets.slice(0, 1),
    rawRows,
  };
  const calm = makeRow({ tokensPerSecond: { median: 100, least: 98, most: 103 } });

  it('is silent where there is nothing to say', () => {
    expect(findWarnings({ ...fine, rows: [calm] })).toEqual([]);
  });

  it('names a busy machine, refused fields, a busy client, a wide range and a single repetition', () => {
    const busyClient = makeRow({ clientCores: 0.95 });
    const text = findWarnings({
      machine: { ...machine, loadBefore: 2 },
      settings: { ...settings, repetitions: 3 },
      repetitions: 1,
      targets,
      rows: [calm, busyClient],
      rawRows: [],
    }).join('\n');
    for (const words of [
      'not idle',
      'Refused top_k and min_p: token.',
      '0.95 of a core',
      '1 of 2 rows',
      'one repetition',
      '1 of 3 repetitions',
    ])
      expect(text).toContain(words);
  });
});

describe('writeReport', () => {
  it('writes all formats into a new folder, and says where it cannot', () => {
    const parent = mkdtempSync(join(tmpdir(), 'loadtest-report-'));
    try {
      writeReport(makeReport(), join(parent, 'a', 'b'));
      expect(readdirSync(join(parent, 'a', 'b')).sort()).toEqual([
        'report.csv',
        'report.html',
        'report.json',
        'report.md',
      ]);
      writeFileSync(join(parent, 'file'), '');
      expect(() => writeReport(makeReport(), join(parent, 'file'))).toThrow(
        'Cannot write the report into --out',
      );
    } finally {
      rmSync(parent, { recursive: true });
    }
  });
});
