/** A report as one page that holds everything: charts as SVG, no script, nothing to load. */
import type { Table } from './cells.js';
import { reportCharts } from './charts.js';
import { methodNotes } from './notes.js';
import type { Report } from './report.js';
import { reportTables } from './table.js';

const style = `
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; max-width: 1360px; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.15rem; }
.when { color: #666; margin-top: .2rem; }
pre { background: #f4f4f4; padding: .6rem .8rem; overflow-x: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); gap: 1.2rem; }
figure { margin: 0; border: 1px solid #ddd; border-radius: 6px; padding: .8rem; }
figcaption { font-weight: 600; margin-bottom: .4rem; } figure svg { width: 100%; height: auto; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #e3e3e3; text-align: left; white-space: nowrap; }
td.n, th.n { text-align: right; } td.w { white-space: normal; min-width: 24rem; }
.note { border-left: 4px solid #e69f00; padding: .3rem .8rem; background: #fff8e8; }
.failed { border-left: 4px solid #d55e00; padding: .3rem .8rem; background: #fdf0ea; }`;

/** @returns a whole HTML document */
export function reportHtml(report: Report): string {
  const charts = reportCharts(report)
    .map(({ title, svg }) => `<figure><figcaption>${escapeHtml(title)}</figcaption>${svg}</figure>`)
    .join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load test, ${escapeHtml(report.started)}</title>
<style>${style}
</style>
</head>
<body>
<h1>Load test</h1>
<p class="when">${escapeHtml(report.started)}, ${report.durationSeconds.toFixed(0)} s</p>
<pre>${escapeHtml(report.command)}</pre>
${report.targets.map(describeTarget).join('\n')}
${report.warnings.map(warning => `<p class="note">${escapeHtml(warning)}</p>`).join('\n')}
<div class="charts">
${charts}
</div>
${reportTables(report).map(htmlTable).join('\n')}
<h2>How it was measured</h2>
<ul>
${methodNotes(report)
  .map(note => `<li>${escapeHtml(note)}</li>`)
  .join('\n')}
</ul>
</body>
</html>
`;
}

function describeTarget({ target, model, serverVersion, problem }: Report['targets'][number]): string {
  const line = `<b>${escapeHtml(target.name)}</b>: ${escapeHtml(model ?? 'no model')} at ${escapeHtml(target.baseUrl)}${serverVersion === null ? '' : ` (server ${escapeHtml(serverVersion)})`}`;
  return problem === null
    ? `<p>${line}</p>`
    : `<p class="failed">${line}. <b>Failed:</b> ${escapeHtml(problem)}</p>`;
}

function htmlTable({ title, head, body, firstNumber }: Table): string {
  const className = (column: number, text: string): string => {
    if (column >= firstNumber) return ' class="n"';
    return text.length > 60 ? ' class="w"' : '';
  };
  const cells = (tag: 'th' | 'td', texts: readonly string[]): string =>
    texts.map((text, column) => `<${tag}${className(column, text)}>${escapeHtml(text)}</${tag}>`).join('');
  return `<h2>${escapeHtml(title)}</h2>
<div class="scroll"><table>
<thead><tr>${cells('th', head)}</tr></thead>
<tbody>
${body.map(line => `<tr>${cells('td', line)}</tr>`).join('\n')}
</tbody>
</table></div>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
