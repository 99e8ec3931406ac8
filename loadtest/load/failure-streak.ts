/** Gives a target up that has stopped working, so that its failures do not hold up the others for hours. */
export class FailureStreak {
  readonly #limit: number;
  #length = 0;

  /** @param limit failures in a row that are one too many */
  constructor(limit: number) {
    this.#limit = limit;
  }

  succeed(): void {
    this.#length = 0;
  }

  fail(): void {
    this.#length++;
  }

  get isOver(): boolean {
    return this.#length >= this.#limit;
  }
}
