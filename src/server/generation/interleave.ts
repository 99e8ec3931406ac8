/**
 * Several async streams as one, in the order in which their items arrive. Each source is asked for its next item
 * only after the last one was taken, so a reader that stops reading stops all sources. Leaving the loop, or a
 * source that fails, closes every source.
 */
export function interleave<Item>(
  sources: readonly AsyncIterable<Item>[],
): Required<AsyncIterator<Item>> & AsyncIterable<Item> {
  const iterators = sources.map(source => source[Symbol.asyncIterator]());
  const [only] = iterators;
  return iterators.length === 1 && only ? passOn(only) : mergeArrivals(iterators);
}

/** Most requests have one choice, and every turn of a generator costs several promises. */
function passOn<Item>(source: AsyncIterator<Item>): ReturnType<typeof interleave<Item>> {
  const close = (): void => {
    source.return?.().catch(() => {});
  };
  return {
    next: () => source.next(),
    return: async () => {
      close();
      return { done: true, value: undefined };
    },
    throw: async error => {
      close();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* mergeArrivals<Item>(iterators: readonly AsyncIterator<Item>[]): AsyncGenerator<Item, void> {
  const arrived: Arrival<Item>[] = [];
  let wake = (): void => {};
  const ask = (iterator: AsyncIterator<Item>): void => {
    const deliver = (arrival: Arrival<Item>): void => {
      arrived.push(arrival);
      wake();
    };
    iterator.next().then(
      result => deliver({ iterator, result }),
      error => deliver({ iterator, error }),
    );
  };
  iterators.forEach(ask);
  let openCount = iterators.length;
  try {
    while (openCount > 0) {
      const arrival = arrived.shift();
      if (arrival === undefined) {
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      } else if ('error' in arrival) {
        throw arrival.error;
      } else if (arrival.result.done) {
        openCount -= 1;
      } else {
        yield arrival.result.value;
        ask(arrival.iterator);
      }
    }
  } finally {
    // Not awaited: a source that is in the middle of a step answers only after it, and nobody needs its answer.
    for (const iterator of iterators) iterator.return?.().catch(() => {});
  }
}

type Arrival<Item> = { readonly iterator: AsyncIterator<Item> } & (
  | { readonly result: IteratorResult<Item> }
  | { readonly error: unknown }
);
