/** The tables of quality and cost. */
import { type GenerationCost, generationCosts } from '../measure/cost.js';
import { nameOf, number, type Table } from './cells.js';
import type { Report } from './report.js';

/** What a cost belongs to: "T = 0.5, 62.3 draws a chunk". */
export function costSetting({ temperature, drawsPerChunk }: GenerationCost): string {
  if (drawsPerChunk === null) return 'one candidate a chunk';
  const draws = drawsPerChunk === 1 ? '1 draw' : `${number(drawsPerChunk)} draws`;
  return `T = ${temperature}, ${draws} a chunk`;
}

/** FLOPs of all parts together. */
export function totalFlops(flopsPerToken: GenerationCost['flopsPerToken']): number {
  return Object.values(flopsPerToken).reduce((sum, flops) => sum + flops, 0);
}

/** What is known of the targets beside their speed. */
export function givenCostTable({ targets }: Report): Table {
  const known = targets.filter(
    ({ quality }) => quality.brierLm !== null || Object.keys(quality.flopsPerToken).length > 0,
  );
  return {
    title: 'Quality and cost at one candidate a chunk, as given',
    head: ['target', 'model', 'BrierLM', 'MFLOPs per token', 'by part'],
    firstNumber: 2,
    body: known.map(({ target, model, quality }) => {
      const error = quality.brierLmError === null ? '' : ` ± ${number(quality.brierLmError)}`;
      return [
        target.name,
        model ?? '?',
        quality.brierLm === null ? '–' : `${number(quality.brierLm)}${error}`,
        ...flopsCells(quality.flopsPerToken),
      ];
    }),
  };
}

/** What a token cost at the candidates that the run drew. */
export function drawnCostTable(report: Report): Table {
  return {
    title: 'MFLOPs per token at the draws of this run, head and decoder counted whole for each',
    head: ['target', 'at', 'MFLOPs per token', 'by part'],
    firstNumber: 2,
    body: generationCosts(report.targets, report.rows).map(cost => [
      nameOf(report, cost.target),
      costSetting(cost),
      ...flopsCells(cost.flopsPerToken),
    ]),
  };
}

/** The sum and the parts, in MFLOPs. */
function flopsCells(flopsPerToken: GenerationCost['flopsPerToken']): [total: string, parts: string] {
  const parts = Object.entries(flopsPerToken);
  return [
    parts.length === 0 ? '–' : number(totalFlops(flopsPerToken) / 1e6),
    parts.length < 2 ? '–' : parts.map(([name, flops]) => `${name} ${number(flops / 1e6)}`).join(', '),
  ];
}
