/** The sampler's decisions on draws that are there already, without a model. */

/** Small numbers that are uniform and independent enough to pick draws with (mulberry32): u() in [0, 1). */
export function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Runs a decision to its end with candidates from `next()`; the decision must ask for whole candidates. */
export function decide(decision, next) {
  let given = [];
  for (;;) {
    const { done, value } = decision.next(given);
    if (done) return value;
    given = Array.from({ length: value }, next);
  }
}
