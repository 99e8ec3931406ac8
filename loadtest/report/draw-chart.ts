/** Draws one chart as an SVG document, with the look that all charts share. */
import { type EChartsOption, type GridComponentOption, init, type LegendComponentOption } from 'echarts';

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
type DrawnChart = Omit<EChartsOption, 'grid' | 'legend'> & {
  readonly grid?: GridComponentOption;
  readonly legend?: LegendComponentOption;
};

/** @returns an `<svg>` element without script, animation or anything that would be loaded */
export function drawChart(option: DrawnChart): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: widthPx, height: heightPx });
  try {
    const { grid, legend, ...rest } = option;
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'system-ui, sans-serif' },
      grid: { left: 64, right: 24, top: 56, bottom: 48, ...grid },
      // Without a browser the width of letters is a guess; the gap keeps names apart where it was too small.
      legend: { top: 0, itemGap: 32, ...legend },
      ...rest,
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
