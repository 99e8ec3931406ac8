/** Reads an event stream, of which this server writes one `data:` line an event. */

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<string, void>} the data of each event, up to `[DONE]` or the end of the stream
 */
export async function* readEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (!line.startsWith('data:')) continue;
        const data = line.slice('data:'.length).trim();
        if (data === '[DONE]') return;
        yield data;
      }
    }
  } finally {
    // Also where the reader of the events leaves: the server then frees the slot.
    await reader.cancel().catch(() => {});
  }
}
