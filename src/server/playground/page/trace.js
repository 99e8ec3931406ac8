/** The draws of every step as bars on a logarithmic scale, beneath the text that they made. */

/** @import { Chunk } from './chunk.js' */

/** Most bars: of a longer text each stands for several steps, with the most draws among them. */
const maxBars = 400;

/**
 * @typedef {{ bars: SVGPathElement, weak: SVGPathElement, here: SVGPathElement, scale: HTMLElement }} TraceParts
 * @param {TraceParts} parts
 * @param {readonly Chunk[]} chunks
 */
export function drawTrace(parts, chunks) {
  const stepsPerBar = Math.max(1, Math.ceil(chunks.length / maxBars));
  const most = chunks.reduce((max, chunk) => Math.max(max, chunk.draws), 1);
  let bars = '';
  let weak = '';
  for (let start = 0; start < chunks.length; start += stepsPerBar) {
    const steps = chunks.slice(start, start + stepsPerBar);
    const draws = steps.reduce((max, chunk) => Math.max(max, chunk.draws), 0);
    const path = bar(start, stepsPerBar, Math.log2(1 + draws) / Math.log2(1 + most));
    if (steps.some(chunk => chunk.isFallback)) weak += path;
    else bars += path;
  }
  parts.bars.ownerSVGElement?.setAttribute('viewBox', `0 0 ${chunks.length || 1} 1`);
  parts.bars.setAttribute('d', bars);
  parts.weak.setAttribute('d', weak);
  const scale = `Up to ${most} ${most === 1 ? 'draw' : 'draws'} a step, log scale`;
  const explained = `${scale}. Orange, and dotted in the text: a weaker law decided, as none of N draws met the one asked for`;
  parts.scale.textContent = weak ? explained : scale;
}

/**
 * @param {TraceParts} parts
 * @param {number} index
 */
export function markStep(parts, index) {
  parts.here.setAttribute('d', `M${index} 0h1v1h-1z`);
}

/**
 * @param {number} start
 * @param {number} width in steps
 * @param {number} height 0 to 1
 */
function bar(start, width, height) {
  return `M${start + 0.1 * width} 1v${-height.toFixed(3)}h${0.8 * width}v${height.toFixed(3)}z`;
}
