/** The bytes of an event stream, as clients that read them line by line depend on. */
import { describe, expect, it } from 'vitest';
import { openRawRequest, readAll } from './raw-request.js';
import { type FakeServer, startFakeServer } from './start-server.js';
import { until } from './until.js';

interface StreamEvent {
  readonly id: string;
  readonly created: number;
  readonly object: string;
  readonly choices: readonly {
    readonly index: number;
    readonly text: string;
    readonly finish_reason: string | null;
  }[];
}

/** The chunks of HTTP's chunked coding, one for each write of the server. */
async function readWrites(server: FakeServer, body: object): Promise<string[]> {
  const socket = openRawRequest(server, {
    model: 'fake',
    prompt: 'Once',
    ignore_eos: true,
    stream: true,
    ...body,
  });
  socket.on('data', part => {
    // The last chunk has no bytes; a connection that is kept alive would stay open behind it.
    if (part.toString().endsWith('0\r\n\r\n')) socket.end();
  });
  const answer = Buffer.from(await readAll(socket));
  const writes: string[] = [];
  let at = answer.indexOf('\r\n\r\n') + 4;
  for (;;) {
    const lineEnd = answer.indexOf('\r\n', at);
    const size = Number.parseInt(answer.subarray(at, lineEnd).toString(), 16);
    if (!(size > 0)) return writes;
    writes.push(answer.subarray(lineEnd + 2, lineEnd + 2 + size).toString());
    at = lineEnd + 2 + size + 2;
  }
}

const eventsOf = (writes: readonly string[]): StreamEvent[] =>
  writes.slice(0, -1).map(write => JSON.parse(write.slice('data: '.length)) as StreamEvent);

describe('an event stream', () => {
  it('is one write, one line of JSON and an empty line for each event, and [DONE] at the end', async () => {
    await using server = await startFakeServer();
    const writes = await readWrites(server, {
      max_tokens: 30,
      n: 2,
      stream_options: { include_usage: true },
    });
    expect(writes).toHaveLength(2 * 8 + 2);
    for (const write of writes) expect(write).toMatch(/^data: [^\r\n]+\n\n$/);
    expect(writes.at(-1)).toBe('data: [DONE]\n\n');
    expect(eventsOf(writes).every(event => typeof event.id === 'string')).toBe(true);
  });

  it('has no comments, ids or names of events, also while its request waits', async () => {
    await using server = await startFakeServer({ slotCount: 1 });
    server.model.pause();
    const waiting = [1, 2].map(seed => readWrites(server, { max_tokens: 8, seed }));
    await until(() => server.engine.stats().submitted === 2);
    server.model.resume();
    for (const writes of await Promise.all(waiting)) {
      expect(writes.join('').match(/^(?!data: |$).*/gm)).toBeNull();
    }
  });

  it('puts the reason of a completion on its last text, null before', async () => {
    await using server = await startFakeServer();
    const events = eventsOf(await readWrites(server, { max_tokens: 18, n: 3 }));
    for (const index of [0, 1, 2]) {
      const choices = events.flatMap(event => event.choices).filter(choice => choice.index === index);
      expect(choices.map(choice => choice.finish_reason)).toEqual([...Array(4).fill(null), 'length']);
      expect(choices.at(-1)?.text).toHaveLength(2);
    }
    expect(events.every(event => event.choices.length === 1)).toBe(true);
  });

  it('has one id and one time, which no other answer has', async () => {
    await using server = await startFakeServer();
    const ids = new Set<string>();
    for (let i = 0; i < 5; i += 1) {
      const events = eventsOf(await readWrites(server, { max_tokens: 12 }));
      const heads = new Set(events.map(({ id, created, object }) => `${id} ${created} ${object}`));
      expect([...heads]).toEqual([expect.stringMatching(/^cmpl-\S+ \d{10} text_completion$/)]);
      ids.add(events[0]!.id);
    }
    expect(ids.size).toBe(5);
  });
});
