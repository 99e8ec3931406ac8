/**
 * The exact sampler's tries under the chunk law, as a renewal process: each takes so many draws, ends with a chunk or
 * without, and the next begins. What follows is computed, not simulated.
 */

/**
 * How long tries take: probabilities that one ends after so many draws (the index, up to `limit`) with a chunk, `passAt`,
 * or without, `failAt`. `share(same, other)` is the probability that of so many draws the first `same` are one outcome
 * and the others are not it, summed over the outcomes that are of interest.
 */
export function tryLengths({ repeats, coin }, limit, share) {
  const passAt = new Array(limit + 1).fill(0);
  const failAt = new Array(limit + 1).fill(0);
  for (let draws = 2; draws <= Math.min(repeats, limit); draws += 1) failAt[draws] = share(draws - 1, 1);
  if (coin === undefined) {
    passAt[repeats] = share(repeats, 0);
    return { passAt, failAt };
  }
  passAt[repeats] = coin.outright * share(repeats, 0);
  let survival = 1;
  for (let i = 1; repeats + i <= limit && survival > coin.outright; i += 1) {
    const next = Math.max(coin.outright, survival * coin.goOn(i));
    passAt[repeats + i] = (survival - coin.outright) * share(repeats + 1, i - 1);
    failAt[repeats + i] = (survival - next) * share(repeats, i);
    survival = next;
  }
  return { passAt, failAt };
}

/**
 * With at most `limit` draws: the expected number of them, the share of decisions that they leave open, and for each number
 * of draws how many tries have begun by then, in the mean.
 */
export function renewal({ passAt, failAt }, limit) {
  const beginsAt = new Array(limit + 1).fill(0);
  beginsAt[0] = 1;
  const longest = Math.max(
    failAt.findLastIndex(share => share > 0),
    passAt.findLastIndex(share => share > 0),
  );
  let open = 1;
  let draws = 0;
  for (let time = 0; time <= limit; time += 1) {
    for (let length = 1; length <= Math.min(time, longest); length += 1) {
      beginsAt[time] += beginsAt[time - length] * failAt[length];
      open -= beginsAt[time - length] * passAt[length];
    }
    if (time < limit) draws += open;
  }
  let total = 0;
  const begunBy = beginsAt.map(probability => {
    total += probability;
    return total;
  });
  return { draws, begunBy, undecided: open };
}

/** The probability that a decision of at most `limit` draws ends with one of the outcomes that these lengths are of. */
export function decidedShare(passAt, begunBy, limit) {
  let share = 0;
  for (let length = 1; length <= limit; length += 1) share += passAt[length] * begunBy[limit - length];
  return share;
}
