/** The charts of a report, drawn on the server as SVG, so that the page needs no script. */
import type { CustomSeriesOption } from 'echarts';
import type { Percentiles } from '../measure/statistics.js';
import type { Row } from '../measure/summary.js';
import { costChart } from './cost-chart.js';
import { type Chart, drawChart, seriesColors } from './draw-chart.js';
import type { Report } from './report.js';

/** One line of a chart: a target at a temperature. */
interface Series {
  readonly name: string;
  readonly color: string;
  readonly rows: readonly Row[];
}

/** The charts that the report has figures for. */
export function reportCharts(report: Report): Chart[] {
  return [
    ...loadCharts(report, 'closed', 'requests at a time'),
    ...loadCharts(report, 'open', 'requests a second, offered'),
    ...qualityChart(report),
    ...costChart(report),
  ];
}

const latencyMetrics = [
  ['Time to first token', 'ttftMs'],
  ['Time per token, amortised', 'perTokenMs'],
  ['End to end', 'e2eMs'],
] as const;

function loadCharts(report: Report, kind: Row['load']['kind'], axis: string): Chart[] {
  const rows = report.rows.filter(row => row.load.kind === kind);
  if (rows.length === 0) return [];
  const levels = [...new Set(rows.map(loadLevel))].sort((a, b) => a - b);
  const series = splitSeries(report, rows);
  const suffix = kind === 'open' ? ', open loop' : '';
  return [
    { title: `Throughput${suffix}: median and range`, svg: drawThroughput(series, levels, axis) },
    ...latencyMetrics
      .filter(([, key]) => rows.some(row => row[key].p50 !== null))
      .map(([title, key]) => ({
        title: `${title}${suffix}: p50 solid, p95 dashed, p99 dotted`,
        svg: drawLatency(series, levels, axis, row => row[key]),
      })),
  ];
}

function loadLevel({ load }: Row): number {
  return load.kind === 'closed' ? load.concurrency : load.ratePerSecond;
}

function splitSeries(report: Report, rows: readonly Row[]): Series[] {
  const temperatures = [...new Set(rows.map(row => row.temperature))];
  return report.targets.flatMap(({ target }, index) =>
    temperatures.flatMap(temperature => {
      const own = rows.filter(row => row.target === index && row.temperature === temperature);
      if (own.length === 0) return [];
      const name = temperatures.length === 1 ? target.name : `${target.name}, T = ${temperature}`;
      const color =
        seriesColors[(index * temperatures.length + temperatures.indexOf(temperature)) % seriesColors.length];
      return [{ name, color: color ?? '#000', rows: own }];
    }),
  );
}

/** One value for each level; null leaves a gap. */
function alongLevels(levels: readonly number[], rows: readonly Row[], value: (row: Row) => number | null) {
  return levels.map(level => {
    const row = rows.find(candidate => loadLevel(candidate) === level);
    return row ? value(row) : null;
  });
}

function levelAxis(levels: readonly number[], name: string) {
  return {
    type: 'category' as const,
    data: levels.map(String),
    name,
    nameLocation: 'middle' as const,
    nameGap: 28,
  };
}

function drawThroughput(series: readonly Series[], levels: readonly number[], axis: string): string {
  return drawChart({
    legend: { data: series.map(({ name }) => name) },
    xAxis: levelAxis(levels, axis),
    yAxis: { type: 'value', name: 'tokens/s', min: 0 },
    series: series.flatMap(({ name, color, rows }) => [
      {
        type: 'line',
        name,
        color,
        symbol: 'circle',
        symbolSize: 7,
        data: alongLevels(levels, rows, row => row.tokensPerSecond.median),
      },
      rangeBars(
        color,
        rows.map(row => rangeOf(row, levels)),
      ),
    ]),
  });
}

type Range = readonly [level: number, least: number, most: number];

function rangeOf(row: Row, levels: readonly number[]): Range {
  return [levels.indexOf(loadLevel(row)), row.tokensPerSecond.least, row.tokensPerSecond.most];
}

/** Whiskers from the least to the most of the repetitions; ECharts has no such mark of its own. */
function rangeBars(color: string, ranges: readonly Range[]): CustomSeriesOption {
  const halfCap = 4;
  return {
    type: 'custom',
    color,
    silent: true,
    z: 1,
    encode: { x: 0, y: [1, 2] },
    data: ranges.map(range => [...range]),
    renderItem: (_params, api) => {
      const [x = 0, low = 0] = api.coord([api.value(0), api.value(1)]);
      const [, high = 0] = api.coord([api.value(0), api.value(2)]);
      const line = (x1: number, y1: number, x2: number, y2: number) => ({
        type: 'line' as const,
        shape: { x1, y1, x2, y2 },
        style: { stroke: color, lineWidth: 1.5 },
      });
      return {
        type: 'group',
        children: [
          line(x, low, x, high),
          line(x - halfCap, low, x + halfCap, low),
          line(x - halfCap, high, x + halfCap, high),
        ],
      };
    },
  };
}

const percentileStyles = [
  ['p50', 'solid', 2, 'circle'],
  ['p95', 'dashed', 1.5, 'triangle'],
  ['p99', 'dotted', 1.5, 'diamond'],
] as const;

function drawLatency(
  series: readonly Series[],
  levels: readonly number[],
  axis: string,
  metric: (row: Row) => Percentiles,
): string {
  return drawChart({
    legend: { data: series.map(({ name }) => name) },
    xAxis: levelAxis(levels, axis),
    yAxis: { type: 'log', name: 'ms', minorSplitLine: { show: true } },
    series: series.flatMap(({ name, color, rows }) =>
      percentileStyles.map(([key, type, width, symbol]) => ({
        type: 'line' as const,
        name,
        color,
        symbol,
        symbolSize: 6,
        lineStyle: { type, width },
        // A logarithm has no place for 0.
        data: alongLevels(levels, rows, row => metric(row)[key] || null),
      })),
    ),
  });
}

/**
 * Tokens/s at the highest load against BrierLM, for targets whose score is known. BrierLM scores samples at temperature
 * 1, so only rows of that temperature belong beside it.
 */
function qualityChart(report: Report): Chart[] {
  const points = splitSeries(
    report,
    report.rows.filter(row => row.load.kind === 'closed' && row.temperature === 1),
  ).flatMap(({ name, color, rows }) => {
    const best = rows.reduce((a, b) => (loadLevel(b) > loadLevel(a) ? b : a));
    const { brierLm = null, brierLmError = null } = report.targets[best.target]?.quality ?? {};
    return brierLm === null ? [] : [{ name, color, score: brierLm, error: brierLmError ?? 0, best }];
  });
  if (points.length === 0) return [];
  const level = Math.max(...points.map(({ best }) => loadLevel(best)));
  return [
    {
      title: `Tokens/s at ${level} at a time and T = 1 against BrierLM with its standard error (up and right is better)`,
      svg: drawChart({
        legend: { data: points.map(({ name }) => name) },
        xAxis: {
          type: 'value',
          name: 'BrierLM',
          scale: true,
          boundaryGap: ['10%', '10%'],
          nameLocation: 'middle',
          nameGap: 28,
        },
        yAxis: { type: 'value', name: 'tokens/s', min: 0 },
        series: points.flatMap(({ name, color, score, error, best }) => {
          const speed = best.tokensPerSecond.median;
          const ends = [
            [score - error, speed],
            [score + error, speed],
          ];
          return [
            { type: 'scatter' as const, name, color, symbolSize: 12, data: [[score, speed]] },
            { type: 'line' as const, color, symbol: 'none', lineStyle: { width: 1.5 }, data: ends },
          ];
        }),
      }),
    },
  ];
}
