import { EventEmitter, getEventListeners } from 'node:events';
import type { Context } from 'hono';
import { describe, expect, it } from 'vitest';
import { Lifecycle } from './lifecycle.js';
import { RequestMonitor } from './request-monitor.js';
import { controlRequest, type ServerEnv } from './request-signal.js';

/** The two ends of a request that may tell of its end, each under the test's control. */
function openRequest(timeLimitMs: number | null = null) {
  const client = new AbortController();
  const outgoing = Object.assign(new EventEmitter(), { writableFinished: false, destroyed: false });
  const lifecycle = new Lifecycle();
  const monitor = new RequestMonitor();
  const record = monitor.begin({ requestId: 'r', method: 'POST', path: '/' });
  const variables = new Map<string, unknown>(Object.entries({ monitor, record, timeLimitMs }));
  const context = {
    req: { raw: { signal: client.signal } },
    env: { outgoing },
    get: (name: string) => variables.get(name),
  };
  const control = (): AbortSignal =>
    controlRequest(context as unknown as Context<ServerEnv>, lifecycle).signal;
  return { client, outgoing, lifecycle, control };
}

describe('controlRequest', () => {
  it('aborts when the request says that its client left', () => {
    const { client, control } = openRequest();
    const signal = control();
    expect(signal.aborted).toBe(false);
    client.abort();
    expect(signal.reason).toMatchObject({ code: 'aborted' });
  });

  it('aborts when the socket closes before the answer is out, and not after it', () => {
    const early = openRequest();
    const earlySignal = early.control();
    early.outgoing.emit('close');
    expect(earlySignal.reason).toMatchObject({ code: 'aborted' });
    const late = openRequest();
    const lateSignal = late.control();
    late.outgoing.writableFinished = true;
    late.outgoing.emit('close');
    late.lifecycle.end();
    expect(lateSignal.aborted).toBe(false);
  });

  it('aborts when the server ends', () => {
    const { lifecycle, control } = openRequest();
    const signal = control();
    lifecycle.end();
    expect(signal.reason).toMatchObject({ code: 'shutting_down' });
  });

  it('listens to nothing any more when the answer is out: a signal with a listener is never freed', () => {
    const { client, outgoing, lifecycle, control } = openRequest();
    control();
    const listeners = () =>
      [client.signal, lifecycle.ending].flatMap(signal => getEventListeners(signal, 'abort'));
    expect(listeners()).toHaveLength(2);
    outgoing.writableFinished = true;
    outgoing.emit('close');
    expect(listeners()).toEqual([]);
  });

  it('aborts when the time of a request is over', async () => {
    const { control, outgoing } = openRequest(1);
    // The limit's timer alone keeps no process alive.
    const alive = setInterval(() => {}, 1000);
    const signal = control();
    await new Promise(resolve => signal.addEventListener('abort', resolve));
    clearInterval(alive);
    expect(signal.reason).toMatchObject({ code: 'request_timeout' });
    outgoing.emit('close');
  });

  it('is aborted from the start where the client left before', () => {
    const byRequest = openRequest();
    byRequest.client.abort();
    expect(byRequest.control().aborted).toBe(true);
    const bySocket = openRequest();
    bySocket.outgoing.destroyed = true;
    expect(bySocket.control().aborted).toBe(true);
  });
});
