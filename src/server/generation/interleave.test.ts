import { describe, expect, it } from 'vitest';
import { interleave } from './interleave.js';

/** A source whose items are handed in by the test, and which knows how far it was read and whether it was closed. */
class ManualSource implements AsyncIterableIterator<string> {
  asked = 0;
  isClosed = false;
  #answers: { resolve: (result: IteratorResult<string>) => void; reject: (error: Error) => void }[] = [];

  next(): Promise<IteratorResult<string>> {
    this.asked += 1;
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
  }

  give(value: string): void {
    this.#answers.shift()?.resolve({ done: false, value });
  }

  end(): void {
    this.#answers.shift()?.resolve({ done: true, value: undefined });
  }

  fail(error: Error): void {
    this.#answers.shift()?.reject(error);
  }

  return(): Promise<IteratorResult<string>> {
    this.isClosed = true;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

describe('interleave', () => {
  it('gives items in order of arrival until every source has ended', async () => {
    const [a, b] = [new ManualSource(), new ManualSource()];
    const merged = interleave([a, b]);
    const first = merged.next();
    b.give('b1');
    expect((await first).value).toBe('b1');
    const second = merged.next();
    a.give('a1');
    expect((await second).value).toBe('a1');
    const third = merged.next();
    a.end();
    b.give('b2');
    expect((await third).value).toBe('b2');
    const last = merged.next();
    b.end();
    expect((await last).done).toBe(true);
  });

  it('asks a source for its next item only when the last one was taken and another is wanted', async () => {
    const source = new ManualSource();
    const merged = interleave([source]);
    const first = merged.next();
    source.give('1');
    await first;
    expect(source.asked).toBe(1);
    merged.next();
    expect(source.asked).toBe(2);
  });

  it('closes all sources when the reader leaves', async () => {
    const sources = [new ManualSource(), new ManualSource()];
    const merged = interleave(sources);
    const first = merged.next();
    sources[0]?.give('1');
    await first;
    await merged.return();
    expect(sources.map(source => source.isClosed)).toEqual([true, true]);
  });

  it('closes all sources when one fails, and throws what it threw', async () => {
    const sources = [new ManualSource(), new ManualSource()];
    const first = interleave(sources).next();
    sources[1]?.fail(new Error('broken'));
    await expect(first).rejects.toThrow('broken');
    expect(sources.map(source => source.isClosed)).toEqual([true, true]);
  });
});
