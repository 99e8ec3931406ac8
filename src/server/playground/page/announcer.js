/** Tells those who hear the page what happens: whole sentences of the text, not every chunk. */
import { byId } from './elements.js';

const place = byId('announcer', HTMLElement);

/** Gathers a text until there is a sentence to say. */
export class Announcer {
  #rest = '';

  /** @param {string} text */
  add(text) {
    this.#rest += text;
    const end = Math.max(
      ...['. ', '! ', '? ', '\n', '." '].map(mark => this.#rest.lastIndexOf(mark) + mark.length - 1),
    );
    if (end <= 1) return;
    announce(this.#rest.slice(0, end));
    this.#rest = this.#rest.slice(end);
  }

  /**
   * Says what is left of the text, and how it ended.
   *
   * @param {string} words
   */
  end(words) {
    announce([this.#rest, words].join(' '));
    this.#rest = '';
  }
}

/** @param {string} words */
export function announce(words) {
  place.textContent = words;
}
