/** Values that came from outside, as sentences quote them. */

const excerptLength = 60;

/** A short form of a value that came from outside, safe for values of any size and depth. */
export function excerpt(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `an array of length ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string') return String(value);
  const short = value.length > excerptLength;
  return JSON.stringify(short ? `${value.slice(0, excerptLength)}...` : value);
}
