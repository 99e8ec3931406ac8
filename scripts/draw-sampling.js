/**
 * The pictures of docs/sampling.md, from the figures of measure-sampling.js: draws against the temperature, accuracy
 * against collision, and draws over what the laws need.
 *
 *   npm run build && node scripts/draw-sampling.js sampling.json docs/images
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawChart, seriesColors } from '../dist-loadtest/report/draw-chart.js';

const [input, folder] = process.argv.slice(2);
const { model, cost, curves, candidates, speed } = JSON.parse(readFileSync(input, 'utf8'));

const axis = (name, more = {}) => ({ type: 'value', name, nameLocation: 'middle', nameGap: 32, ...more });
const line = (name, index, data, more = {}) => ({
  type: 'line',
  name,
  data,
  color: seriesColors[index],
  symbolSize: 7,
  ...more,
});

const costOf = (law, sampler) => {
  const rows = cost.filter(
    row => row.temperature === 1 || (row.temperatureLaw === law && (row.sampler ?? 'auto') === sampler),
  );
  return rows.map(row => [row.temperature, row.draws]).sort(([a], [b]) => a - b);
};
const drawCost = () =>
  drawChart({
    xAxis: axis('temperature', { min: 0, max: 1 }),
    yAxis: axis(`draws a chunk, ${model}`, { nameGap: 44, min: 0 }),
    series: [
      line('chunk law', 0, costOf('chunk', 'auto')),
      line('token law', 1, costOf('token', 'auto'), { lineStyle: { type: 'dashed' }, symbol: 'rect' }),
      line(
        "the reference's fixed number",
        6,
        [0, 1].map(temperature => [temperature, candidates]),
        {
          symbol: 'none',
          lineStyle: { type: 'dotted' },
        },
      ),
    ],
  });

const percent = share => 100 * share;
const styles = [
  { symbol: 'circle' },
  { symbol: 'circle', lineStyle: { type: 'dashed' } },
  { symbol: 'rect' },
  { symbol: 'rect', lineStyle: { type: 'dashed' } },
  { symbol: 'triangle' },
];
const drawCurves = () =>
  drawChart({
    grid: { top: 128 },
    xAxis: axis('collision, % (how often two continuations agree)', { min: 0 }),
    yAxis: axis('accuracy, %', { min: 0 }),
    series: curves.map(({ name, points, isScattered = false }, index) =>
      line(
        name,
        index,
        points.map(({ collision, accuracy }) => [percent(collision), percent(accuracy)]),
        isScattered ? { type: 'scatter', symbol: 'diamond' } : styles[index],
      ),
    ),
  });

const drawNeeded = () => {
  const rows = speed.filter(({ expected }) => expected !== null && expected !== undefined);
  const names = [...new Set(rows.map(({ law, batch }) => `${law}, batch ${batch}`))];
  return drawChart({
    grid: { top: 80 },
    xAxis: axis('temperature', { min: 0.2, max: 1 }),
    yAxis: axis(`draws over those needed, ${model}`, { nameGap: 44, min: 0 }),
    series: [
      ...names.map((name, index) =>
        line(
          name,
          index,
          rows
            .filter(({ law, batch }) => name === `${law}, batch ${batch}`)
            .map(({ temperature, draws, expected }) => [temperature, draws / expected])
            .sort(([a], [b]) => a - b),
          styles[index],
        ),
      ),
      line(
        '1.1',
        6,
        [
          [0.2, 1.1],
          [1, 1.1],
        ],
        { symbol: 'none', lineStyle: { type: 'dotted' } },
      ),
    ],
  });
};

for (const [name, figures, draw] of [
  ['sampling-cost', cost, drawCost],
  ['sampling-accuracy-collision', curves, drawCurves],
  ['sampling-draws-needed', speed, drawNeeded],
]) {
  if (figures) writeFileSync(join(folder, `${name}.svg`), `${draw()}\n`);
}
