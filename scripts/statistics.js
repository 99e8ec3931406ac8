/** What the measuring scripts make of repeated figures. */

/** The middle of the values, or the mean of the two in the middle. */
export function median(values) {
  const ascending = [...values].sort((a, b) => a - b);
  const middle = (ascending.length - 1) / 2;
  return (ascending[Math.floor(middle)] + ascending[Math.ceil(middle)]) / 2;
}

/** @returns {{ median: number, least: number, most: number }} */
export function spreadOf(values) {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** "12.3 (11.0 to 14.1)": the median, and the least and the most, in units of `unit`. */
export function spreadText(spread, digits = 2, unit = 1) {
  const [middle, least, most] = [spread.median, spread.least, spread.most].map(value =>
    (value / unit).toFixed(digits),
  );
  return `${middle} (${least} to ${most})`;
}
