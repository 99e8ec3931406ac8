import { describe, expect, it, vi } from 'vitest';
import { CalmError } from '../../errors.js';
import { eventStream } from './sse.js';

const ignore = { onError: () => {}, onCancel: () => {} };

async function* eventsThen(count: number, error?: Error): AsyncGenerator<object> {
  for (let i = 0; i < count; i += 1) yield { i };
  if (error) throw error;
}

describe('a stream with keep-alive comments', () => {
  it('writes them while nothing comes, loses no event over them, and ends as without them', async () => {
    let letGo = (): void => {};
    async function* events() {
      yield { i: 0 };
      await new Promise<void>(resolve => {
        letGo = resolve;
      });
      yield { i: 1 };
    }
    const reader = eventStream(events(), ignore, 1).pipeThrough(new TextDecoderStream()).getReader();
    const frames: string[] = [];
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      frames.push(read.value);
      if (frames.length === 4) letGo();
    }
    const comments = frames.filter(frame => frame === ': keep-alive\n\n').length;
    expect(comments).toBeGreaterThanOrEqual(3);
    expect(frames.filter(frame => frame.startsWith('data'))).toEqual([
      'data: {"i":0}\n\n',
      'data: {"i":1}\n\n',
      'data: [DONE]\n\n',
    ]);
  });

  it('ends the events when its reader leaves', async () => {
    let isEnded = false;
    async function* events() {
      try {
        for (let i = 0; ; i += 1) yield { i };
      } finally {
        isEnded = true;
      }
    }
    const reader = eventStream(events(), ignore, 1000).getReader();
    await reader.read();
    await reader.cancel();
    await vi.waitFor(() => expect(isEnded).toBe(true));
  });
});

describe('eventStream', () => {
  it('writes a frame for each event and [DONE] at the end', async () => {
    const text = await new Response(eventStream(eventsThen(2), ignore)).text();
    expect(text).toBe('data: {"i":0}\n\ndata: {"i":1}\n\ndata: [DONE]\n\n');
  });

  it('keeps a frame on one line', async () => {
    async function* events() {
      yield { text: 'a\n\nb\r\u2028' };
    }
    const text = await new Response(eventStream(events(), ignore)).text();
    expect(text.split('\n')).toHaveLength(5);
  });

  it('ends a stream that fails with one error event and without [DONE]', async () => {
    const seen: unknown[] = [];
    const error = new CalmError('native', 'The library failed.');
    const stream = eventStream(eventsThen(1, error), { ...ignore, onError: thrown => seen.push(thrown) });
    const frames = (await new Response(stream).text()).split('\n\n').filter(Boolean);
    expect(frames).toHaveLength(2);
    expect(JSON.parse(frames[1]?.slice('data: '.length) ?? '')).toEqual({
      error: { message: 'The library failed.', type: 'server_error', param: null, code: 'native_error' },
    });
    expect(seen).toEqual([error]);
  });

  it('makes no event before the reader wants it', async () => {
    let made = 0;
    async function* events() {
      while (true) yield { made: ++made };
    }
    const reader = eventStream(events(), ignore).getReader();
    expect(made).toBe(0);
    await reader.read();
    await reader.read();
    expect(made).toBe(2);
  });

  it('says so when the reader leaves', async () => {
    let left = 0;
    const stream = eventStream(eventsThen(9), {
      ...ignore,
      onCancel: () => {
        left += 1;
      },
    });
    await stream.cancel();
    expect(left).toBe(1);
  });
});
