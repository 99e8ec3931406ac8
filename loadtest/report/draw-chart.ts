/** Draws one chart as an SVG document, with the look that all charts share. */
import { type EChartsOption, init } from 'echarts';

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

/** @returns an `<svg>` element without script, animation or anything that would be loaded */
export function drawChart(option: EChartsOption): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: widthPx, height: heightPx });
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'system-ui, sans-serif' },
      grid: { left: 64, right: 24, top: 48, bottom: 48 },
      ...option,
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
