/** Asks a server on this machine whether it takes requests. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { addressOf } from '../../server/http/server-address.js';
import type { ServeSettings } from '../settings.js';

/** Less than the 3 s that the Dockerfile's check gives the whole command. */
const patienceMs = 2_000;

export interface Readiness {
  readonly isReady: boolean;
  /** What is known of it, for the operator. */
  readonly sentence: string;
}

/** Never throws: a server that cannot be reached is not ready. */
export async function askReadiness({
  host,
  port,
  sslCertfile,
}: Pick<ServeSettings, 'host' | 'port' | 'sslCertfile'>): Promise<Readiness> {
  const url = `${addressOf({ host, port, isTls: sslCertfile !== undefined })}/readyz`;
  try {
    const status = await getStatus(url);
    return { isReady: status === 200, sentence: `${url} answered with ${status}.` };
  } catch (error) {
    const reason = error instanceof Error ? error.message || error.name : String(error);
    return { isReady: false, sentence: `calm: ${url} does not answer: ${reason}.` };
  }
}

function getStatus(url: string): Promise<number | undefined> {
  const signal = AbortSignal.timeout(patienceMs);
  return new Promise((resolve, reject) => {
    const read = (response: IncomingMessage): void => {
      response.resume();
      resolve(response.statusCode);
    };
    const ask = (): ClientRequest =>
      url.startsWith('https:')
        ? httpsRequest(url, { agent: false, rejectUnauthorized: false, signal }, read)
        : httpRequest(url, { agent: false, signal }, read);
    ask().once('error', reject).end();
  });
}
