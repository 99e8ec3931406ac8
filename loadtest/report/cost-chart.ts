/** The chart of cost. */
import { generationCosts } from '../measure/cost.js';
import { nameOf } from './cells.js';
import { costSetting } from './cost-table.js';
import { type Chart, drawChart, seriesColors } from './draw-chart.js';
import type { Report } from './report.js';

/** Where FLOPs per token go, one bar for each target and temperature; none where no target's FLOPs are known. */
export function costChart(report: Pick<Report, 'targets' | 'rows'>): Chart[] {
  const costs = generationCosts(report.targets, report.rows);
  if (costs.length === 0) return [];
  const parts = [...new Set(costs.flatMap(({ flopsPerToken }) => Object.keys(flopsPerToken)))];
  return [
    {
      title: 'Where FLOPs per token go, at the draws of this run, head and decoder whole for each',
      svg: drawChart({
        legend: { data: parts },
        grid: { left: 204 },
        xAxis: { type: 'value', name: 'MFLOPs per token', nameLocation: 'middle', nameGap: 28 },
        yAxis: {
          type: 'category',
          data: costs.map(cost => `${nameOf(report, cost.target)}\n${costSetting(cost)}`),
          inverse: true,
          axisLabel: { width: 180, overflow: 'truncate', interval: 0 },
        },
        series: parts.map((part, index) => ({
          type: 'bar' as const,
          name: part,
          stack: 'flops',
          barMaxWidth: 36,
          color: seriesColors[index % seriesColors.length] ?? '#000',
          data: costs.map(({ flopsPerToken }) => (flopsPerToken[part] ?? 0) / 1e6),
        })),
      }),
    },
  ];
}
