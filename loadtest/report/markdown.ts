/** A report as Markdown, which is also what a terminal shows. */
import type { Table } from './cells.js';
import { methodNotes } from './notes.js';
import type { Report } from './report.js';
import { reportTables } from './table.js';

export function reportMarkdown(report: Report): string {
  const sections = [
    '# Load test',
    `${report.started}, ${report.durationSeconds.toFixed(0)} s. Command:\n\n\`\`\`\n${report.command}\n\`\`\``,
    report.targets.map(describeTarget).join('\n'),
    ...report.warnings.map(warning => `**Note:** ${warning}`),
    ...reportTables(report).map(markdownTable),
    `## How it was measured\n\n${methodNotes(report)
      .map(note => `- ${note}`)
      .join('\n')}`,
  ];
  return `${sections.join('\n\n')}\n`;
}

function describeTarget(result: Report['targets'][number]): string {
  const { target, model, kind, chunkSize, serverVersion, problem } = result;
  const tokens = chunkSize !== null && chunkSize > 1 ? `, ${chunkSize} tokens a step` : '';
  const what = kind === null ? '' : ` (${kind === 'calm' ? 'CALM' : `${kind} model`}${tokens})`;
  const line = `- **${target.name}**: ${model ?? 'no model'}${what} at ${target.baseUrl}${serverVersion === null ? '' : ` (server ${serverVersion})`}`;
  return problem === null ? line : `${line}. **Failed:** ${problem}`;
}

function markdownTable({ title, head, body, firstNumber }: Table): string {
  const rule = head.map((_, column) => (column < firstNumber ? '---' : '---:'));
  const lines = [head, rule, ...body].map(line => `| ${line.map(escapeCell).join(' | ')} |`);
  return `## ${title}\n\n${lines.join('\n')}`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
}
