/** Counts what becomes of autocannon's requests, of which it tells only a part. */
import type { AnswerExpectation } from '../client/check-answer.js';
import { checkAnswer } from '../client/check-answer.js';
import { connectionClosed, describeConnectionError, timedOut } from '../client/connection-failure.js';
import { RequestFailure } from '../client/request-failure.js';
import { readWholeAnswer } from '../client/whole-answer.js';

export interface RawTallyOptions {
  readonly url: URL;
  readonly timeoutMs: number;
  readonly expected: AnswerExpectation;
  /** Failures after which the run ends early: the target has stopped working. */
  readonly mostFailures: number;
  /** Ends the run; may be called more than once. */
  readonly stop: () => void;
}

/** One connection after another of one of autocannon's clients. */
interface ClientState {
  /** The head of an answer has come, and its end has not. */
  isAnswering: boolean;
  wasCutOff: boolean;
}

export class RawTally {
  readonly #options: RawTallyOptions;
  readonly #clients: ClientState[] = [];
  readonly #failures: RequestFailure[] = [];
  #sent = 0;
  #answers = 0;
  #tokens = 0;
  #announcedEnds = 0;
  #isStopped = false;

  constructor(options: RawTallyOptions) {
    this.#options = options;
  }

  /** Answers that passed every check. */
  get answers(): number {
    return this.#answers;
  }

  /** Tokens of those. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Listens to a client before it connects; returns how many clients came before it. */
  watch(client: NodeJS.EventEmitter): number {
    const { url, timeoutMs } = this.#options;
    const state: ClientState = { isAnswering: false, wasCutOff: false };
    client.on('request', () => {
      this.#sent++;
      if (state.isAnswering) this.#cutOff(state);
    });
    client.on('headers', () => {
      state.isAnswering = true;
    });
    client.on('response', () => {
      state.isAnswering = false;
    });
    client.on('connError', (error: Error) => {
      const hadAnswer = state.isAnswering;
      if (hadAnswer) this.#stop();
      state.isAnswering = false;
      this.#fail(describeConnectionError(error, url, hadAnswer));
    });
    client.on('timeout', () => {
      const hadAnswer = state.wasCutOff;
      // autocannon sends the next request first, which looked like the end of this one's connection.
      state.wasCutOff = false;
      this.#fail(timedOut(timeoutMs, hadAnswer));
    });
    return this.#clients.push(state) - 1;
  }

  /**
   * Books a whole answer.
   *
   * @param connection the header of that name, if the answer had it
   */
  answered(status: number, body: string, connection: unknown): void {
    if (typeof connection === 'string' && /\bclose\b/i.test(connection)) this.#announcedEnds++;
    try {
      const answer = readWholeAnswer(status, body);
      checkAnswer(answer, this.#options.expected);
      this.#answers++;
      this.#tokens += answer.completionTokens;
    } catch (error) {
      if (!(error instanceof RequestFailure)) throw error;
      this.#fail(error);
    }
  }

  /** All failures, once the run is over: also those of requests whose connection ended without a word. */
  finish(): readonly RequestFailure[] {
    const { url } = this.#options;
    const cutOff = this.#clients.filter(({ wasCutOff }) => wasCutOff).length;
    // A run that was stopped has ended requests itself, which is no failure of the target. Nor is it one where the
    // server said that it would close the connection and autocannon sent one more request over it.
    const lost = this.#isStopped
      ? 0
      : Math.max(0, this.#sent - this.#answers - this.#failures.length - this.#announcedEnds);
    return [
      ...this.#failures,
      ...Array.from({ length: cutOff }, () => connectionClosed(url, true)),
      ...Array.from({ length: lost }, () => connectionClosed(url, false)),
    ];
  }

  /** autocannon reads the next answer as the rest of one that was cut off, so nothing after it would be true. */
  #cutOff(state: ClientState): void {
    state.isAnswering = false;
    state.wasCutOff = true;
    this.#stop();
  }

  #fail(failure: RequestFailure): void {
    this.#failures.push(failure);
    if (this.#failures.length >= this.#options.mostFailures) this.#stop();
  }

  #stop(): void {
    this.#isStopped = true;
    this.#options.stop();
  }
}
