/** Draws one chart as an SVG document, with the look that all charts share. */
import type { EChartsOption, GridComponentOption, LegendComponentOption, SeriesOption } from 'echarts';
import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([BarChart, CustomChart, LineChart, ScatterChart, GridComponent, LegendComponent, SVGRenderer]);

/** A chart of a report. */
export interface Chart {
  readonly title: string;
  readonly svg: string;
}

/** Okabe and Ito's colours, which colour-blind readers can tell apart. */
export const seriesColors = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#000000',
] as const;

const widthPx = 640;
const heightPx = 360;

/** A chart has one grid and one legend here. */
type DrawnChart = Omit<EChartsOption, 'grid' | 'legend' | 'series'> & {
  readonly series: readonly SeriesOption[];
  readonly grid?: GridComponentOption;
  readonly legend?: LegendComponentOption;
};

/** @returns an `<svg>` element without script, animation or anything that would be loaded */
export function drawChart(option: DrawnChart): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: widthPx, height: heightPx });
  try {
    const { grid, legend, series, ...rest } = option;
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'system-ui, sans-serif' },
      grid: { left: 64, right: 24, top: 56, bottom: 48, ...grid },
      // Without a browser the width of letters is a guess; the gap keeps names apart where it was too small.
      legend: { top: 0, itemGap: 32, selectedMode: false, ...legend },
      // Nothing answers a mouse, so there is no style for one.
      series: series.map(item => ({ ...item, silent: true })),
      ...rest,
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
