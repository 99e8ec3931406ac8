/** Comments in a silent event stream, for proxies that take silence for death. */

/** A comment, as the event stream format has it: clients pass over it, and some lose what follows. */
const comment = ': keep-alive\n\n';

/**
 * The same frames, with a comment whenever none has come for a while.
 *
 * @param silenceMs time without a frame after which a comment is written
 */
export async function* addKeepAliveComments(
  frames: AsyncGenerator<string, void>,
  silenceMs: number,
): AsyncGenerator<string, void> {
  try {
    for (let next = frames.next(); ; ) {
      const result = await withinTime(next, silenceMs);
      if (result?.done) return;
      yield result === null ? comment : result.value;
      // Only when the last frame is taken: the pace is the reader's.
      if (result !== null) next = frames.next();
    }
  } finally {
    await frames.return();
  }
}

/** What the promise gives, or null when the time is over before. */
async function withinTime<Value>(promise: Promise<Value>, timeMs: number): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<null>(resolve => {
    timer = setTimeout(resolve, timeMs, null);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
