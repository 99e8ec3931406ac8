import { describe, expect, it } from 'vitest';
import { type ServerSentEvent, SseReader } from './sse-reader.js';

function readAll(parts: readonly Uint8Array[]): ServerSentEvent[] {
  const reader = new SseReader();
  return [...parts.flatMap(part => reader.push(part)), ...reader.end()];
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const stream =
  '\ufeff: a comment\r\n\r\ndata: {"text":"Grüße 🦊"}\r\n\r\n' +
  'event: error\rdata:first line\rdata:  second line\r\r' +
  'data: third\r\ndata: fourth\r\n\r\n: keep-alive\n\ndata\n\nid: 7\nretry: 10\ndata: [DONE]\n\n';

const events = [
  { name: '', data: '{"text":"Grüße 🦊"}' },
  { name: 'error', data: 'first line\n second line' },
  { name: '', data: 'third\nfourth' },
  { name: '', data: '' },
  { name: '', data: '[DONE]' },
];

describe('SseReader', () => {
  it('reads all line ends, comments, names and data of several lines', () => {
    expect(readAll([bytesOf(stream)])).toEqual(events);
  });

  it('reads the same events wherever the bytes are split in two', () => {
    const bytes = bytesOf(stream);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(readAll([bytes.slice(0, cut), bytes.slice(cut)]), `cut at ${cut}`).toEqual(events);
    }
  });

  it('reads the same events byte by byte', () => {
    expect(readAll([...bytesOf(stream)].map(byte => Uint8Array.of(byte)))).toEqual(events);
  });

  it('gives an event in the read that completes it', () => {
    const reader = new SseReader();
    expect(reader.push(bytesOf('data: 1\n'))).toEqual([]);
    expect(reader.push(bytesOf('\ndata: 2'))).toEqual([{ name: '', data: '1' }]);
    expect(reader.push(bytesOf('\r\n\r'))).toEqual([{ name: '', data: '2' }]);
    expect(reader.push(bytesOf('\n'))).toEqual([]);
  });

  it('takes a last event without its empty line', () => {
    expect(readAll([bytesOf('data: 1\n\ndata: [DONE]')]).at(-1)).toEqual({ name: '', data: '[DONE]' });
  });
});
