/** How outcomes stand in a running count of N candidates, of which some are still to come. */

/** An outcome, by any name, and how many candidates it has. */
export interface OutcomeCount {
  readonly name: number;
  readonly count: number;
}

/**
 * The leading outcome (-1 where there is none) and the least number of further candidates after which the lead can be
 * beyond reach: 0 where it is so already. `outcomes` come in order of first appearance, `left` candidates are to come, and
 * a challenger needs lead + 1 of them if the leader was seen first.
 */
export function standing(
  outcomes: readonly OutcomeCount[],
  left: number,
): { leader: number; missing: number } {
  let leader = -1;
  let best = 0;
  for (const { name, count } of outcomes) {
    if (count > best) {
      leader = name;
      best = count;
    }
  }
  let second = 0;
  let leaderSeen = false;
  for (const { name, count } of outcomes) {
    if (name === leader) {
      leaderSeen = true;
      continue;
    }
    // One seen before the leader wins a tie, which is as good as half a candidate more.
    second = Math.max(second, count + (leaderSeen ? 0 : 0.5));
  }
  // Decided once second + left <= best with ties for the leader; every candidate moves this by two at most.
  const missing = Math.max(0, Math.ceil((left - (best - second)) / 2));
  return { leader, missing };
}

/**
 * After how many candidates the lead was beyond reach, ties left aside; `names`: the outcome of each candidate in order,
 * undefined where it counts for none.
 */
export function drawsNeeded(names: readonly (number | undefined)[], candidateCount: number): number {
  const counts = new Map<number, number>();
  let leader: number | undefined;
  let best = 0;
  let second = 0;
  for (const [i, name] of names.entries()) {
    if (name !== undefined) {
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      if (name !== leader && count > best) {
        second = best;
        leader = name;
      } else if (name !== leader) second = Math.max(second, count);
      best = Math.max(best, count);
    }
    if (best - second >= candidateCount - (i + 1)) return i + 1;
  }
  return names.length;
}
