/** Server-sent events: the frames, the headers, and a response body that moves at its reader's pace. */
import { describeError, type ErrorBody } from './errors.js';
import { addKeepAliveComments } from './keep-alive-comments.js';

/** Headers of an event stream; the last two keep proxies from collecting or compressing events. */
export const eventStreamHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** One event. `JSON.stringify` never writes a line break, so a frame is always one line and an empty one. */
export function formatEvent(data: object | ErrorBody): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

/** The line that ends a stream which did not fail. */
export const endOfStream = 'data: [DONE]\n\n';

/**
 * A response body made of events, one write each, ended by `[DONE]`. It asks for the next event only when the
 * socket has taken the last one. Where `events` fails, the body ends with one error event and without `[DONE]`.
 *
 * @param listener is told what failed, for the log, and that the reader left, so that it ends the work
 * @param silenceMs time without an event after which a comment is written; 0 for never
 */
export function eventStream(
  events: AsyncIterable<object>,
  listener: { readonly onError: (error: unknown) => void; readonly onCancel: () => void },
  silenceMs = 0,
): ReadableStream<Uint8Array> {
  const written = writeFrames(events, listener.onError);
  const frames = silenceMs > 0 ? addKeepAliveComments(written, silenceMs) : written;
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await frames.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      cancel() {
        listener.onCancel();
        // Not awaited: it waits for the event that is being made, and the reader has left already.
        frames.return().catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
}

async function* writeFrames(
  events: AsyncIterable<object>,
  onError: (error: unknown) => void,
): AsyncGenerator<string, void> {
  try {
    for await (const event of events) yield formatEvent(event);
    yield endOfStream;
  } catch (error) {
    onError(error);
    yield formatEvent(describeError(error).body);
  }
}
