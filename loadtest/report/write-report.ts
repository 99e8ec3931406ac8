/** Puts a report into a folder, once in every format. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../usage-error.js';
import { reportCsv } from './csv.js';
import { reportHtml } from './html.js';
import { reportJson } from './json.js';
import { reportMarkdown } from './markdown.js';
import type { Report } from './report.js';

/** @throws UsageError where the folder cannot be written */
export function writeReport(report: Report, folder: string): void {
  const files = [
    ['report.json', `${reportJson(report)}\n`],
    ['report.md', reportMarkdown(report)],
    ['report.csv', reportCsv(report)],
    ['report.html', reportHtml(report)],
  ] as const;
  try {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of files) writeFileSync(join(folder, name), text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`Cannot write the report into --out ${folder} (${code ?? 'unknown reason'}).`);
  }
}
