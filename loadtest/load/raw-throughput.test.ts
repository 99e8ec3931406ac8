import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock.js';
import { answerWell, type Behaviour, sendJson, startFakeServer } from '../testing/fake-server.js';
import { makeEndpoint, makeJob } from '../testing/settings.js';
import { measureRawThroughput } from './raw-throughput.js';

const job = (seed: number) => makeJob({ seed, maxTokens: 3 });

async function measure(behave: Behaviour) {
  await using server = await startFakeServer(behave);
  const jobs = [job(1), job(2), job(3), job(4), job(5), job(6)] as const;
  const run = await measureRawThroughput(makeEndpoint(server.url), jobs, 2, systemClock);
  return { run, bodies: server.bodies };
}

describe('measureRawThroughput', () => {
  it('sends as many requests as there are jobs, not all connections the same ones', async () => {
    const { run, bodies } = await measure(answerWell);
    expect(run).toMatchObject({ requests: 6, failed: 0 });
    expect(run.tokensPerSecond / run.requestsPerSecond).toBeCloseTo(3, 6);
    expect(bodies).toHaveLength(6);
    expect(bodies.every(({ stream }) => stream === undefined)).toBe(true);
    expect(new Set(bodies.map(({ seed }) => seed)).size).toBeGreaterThan(3);
  });

  it('counts errors, wrong token counts and dropped connections as failed', async () => {
    let served = 0;
    const { run } = await measure((body, response, request) => {
      served++;
      if (served === 1) sendJson(response, 500, { error: { message: 'No.' } });
      else if (served === 2) answerWell({ ...body, max_tokens: 2 }, response, request);
      else if (served === 3) response.end('not JSON');
      else answerWell(body, response, request);
    });
    expect(run).toMatchObject({ requests: 6, failed: 3 });
  });

  it('ends where a server answers nothing at all', async () => {
    const { run } = await measure((_, response) => void response.destroy());
    expect(run).toMatchObject({ requests: 6, failed: 6, requestsPerSecond: 0 });
  });
});
