/** What two finished runs say of each other, in one sentence. */

/** @import { Column } from './column.js' */

/**
 * @param {Column[]} columns
 * @param {boolean} wereTogether
 * @returns {string} '' where there are no two finished runs
 */
export function compare(columns, wereTogether) {
  const [one, other] = columns;
  if (!one?.timings?.predicted_n || !other?.timings?.predicted_n) return '';
  const ratio = one.timings.predicted_per_second / other.timings.predicted_per_second;
  const shared = wereTogether ? ', while both shared the machine' : '';
  return `${count(one)}, ${count(other)}: ${one.model.id} wrote ${ratio.toFixed(2)} times as many tokens a second${shared}.`;
}

/** @param {Column} column */
function count({ model, timings }) {
  return `${model.id} took ${timings?.chunks} steps for ${timings?.predicted_n} tokens`;
}
