/** Reads a stream of server-sent events from bytes that may be split anywhere (WHATWG HTML, section 9.2). */

/** One event: its name, if the server gave one, and its data lines joined by newlines. */
export interface ServerSentEvent {
  readonly name: string;
  readonly data: string;
}

export class SseReader {
  // Removes a byte order mark, and keeps characters whole that are split between two reads.
  readonly #decoder = new TextDecoder();
  #rest = '';
  /** A carriage return ended the last line of the last read: a line feed now belongs to it. */
  #endedWithReturn = false;
  #name = '';
  #data: string[] = [];

  /** The events that these bytes complete. */
  push(bytes: Uint8Array): ServerSentEvent[] {
    return this.#readLines(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The event that the end of the stream completes: some servers leave out the last empty line. */
  end(): ServerSentEvent[] {
    const events = this.#readLines(`${this.#decoder.decode()}\n`);
    return [...events, ...this.#dispatch()];
  }

  #readLines(added: string): ServerSentEvent[] {
    if (added === '') return [];
    const fresh = this.#endedWithReturn && added.startsWith('\n') ? added.slice(1) : added;
    this.#endedWithReturn = added.endsWith('\r');
    const lines = (this.#rest + fresh).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? '';
    return lines.flatMap(line => this.#readLine(line));
  }

  #readLine(line: string): ServerSentEvent[] {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return [];
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#name = value;
    return [];
  }

  #dispatch(): ServerSentEvent[] {
    const events = this.#data.length === 0 ? [] : [{ name: this.#name, data: this.#data.join('\n') }];
    this.#name = '';
    this.#data = [];
    return events;
  }
}
