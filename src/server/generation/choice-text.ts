/**
 * The text of one choice as its tokens arrive: whole characters only, cut before a stop string, and with the token
 * ids that belong to exactly the text that was let out.
 */
import type { Encoding } from '../../tokenizer/encoding.js';
import { type StopAutomaton, StopStrings } from '../../tokenizer/stop-strings.js';
import { StreamDecoder } from '../../tokenizer/stream-decoder.js';

/** What may be shown after some more tokens. */
export interface TextStep {
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** The stop string that ended the choice, if one did. */
  readonly stopString: string | null;
}

export interface ChoiceText {
  /** Takes the next tokens. Must not be called again after a step with a stop string. */
  push(tokens: readonly number[]): TextStep;
  /** Lets out what is held back: the choice is over. */
  flush(): TextStep;
}

/**
 * @param encoding null where the model has no tokenizer: token ids pass, and the text stays empty
 * @param stops null where no stop strings were given
 * @param includeStop lets the stop string out that ends the text
 */
export function createChoiceText(
  encoding: Encoding | null,
  stops: StopAutomaton | null,
  includeStop: boolean,
): ChoiceText {
  if (!encoding) return new TokensOnly();
  return stops === null ? new FreeText(encoding) : new StoppableText(encoding, stops, includeStop);
}

class TokensOnly implements ChoiceText {
  push(tokens: readonly number[]): TextStep {
    return { text: '', tokenIds: tokens, stopString: null };
  }

  flush(): TextStep {
    return { text: '', tokenIds: [], stopString: null };
  }
}

class FreeText implements ChoiceText {
  readonly #decoder: StreamDecoder;

  constructor(encoding: Encoding) {
    this.#decoder = new StreamDecoder(encoding);
  }

  push(tokens: readonly number[]): TextStep {
    return { text: this.#decoder.push(tokens), tokenIds: tokens, stopString: null };
  }

  flush(): TextStep {
    return { text: this.#decoder.flush(), tokenIds: [], stopString: null };
  }
}

/** Decodes token by token, so that it knows where in the text each token begins. */
class StoppableText implements ChoiceText {
  readonly #decoder: StreamDecoder;
  readonly #stops: StopStrings;
  readonly #includeStop: boolean;
  /** Tokens that were not let out yet, and the offset in the text at which each begins. */
  readonly #held: { readonly id: number; readonly start: number }[] = [];
  /** UTF-16 units decoded so far. */
  #decodedLength = 0;
  /** UTF-16 units let out so far. */
  #shownLength = 0;

  constructor(encoding: Encoding, stops: StopAutomaton, includeStop: boolean) {
    this.#decoder = new StreamDecoder(encoding);
    this.#stops = new StopStrings(stops);
    this.#includeStop = includeStop;
  }

  push(tokens: readonly number[]): TextStep {
    let shown = '';
    for (const id of tokens) {
      this.#held.push({ id, start: this.#decodedLength });
      const { text, stop } = this.#scan(this.#decoder.push([id]));
      shown += text;
      if (stop !== null) return { text: shown, tokenIds: this.#release(), stopString: stop };
    }
    return { text: shown, tokenIds: this.#release(), stopString: null };
  }

  flush(): TextStep {
    const { text, stop } = this.#scan(this.#decoder.flush());
    if (stop !== null) return { text, tokenIds: this.#release(), stopString: stop };
    const tail = this.#stops.flush();
    return { text: text + tail, tokenIds: this.#held.splice(0).map(token => token.id), stopString: null };
  }

  #scan(decoded: string): { text: string; stop: string | null } {
    this.#decodedLength += decoded.length;
    const { text, stop } = this.#stops.push(decoded);
    const shown = this.#includeStop ? text + (stop ?? '') : text;
    this.#shownLength += shown.length;
    return { text: shown, stop };
  }

  /** A token is let out once its text has begun to be: a stop string that starts later cannot take it back. */
  #release(): number[] {
    const firstHidden = this.#held.findIndex(token => token.start >= this.#shownLength);
    return this.#held.splice(0, firstHidden < 0 ? this.#held.length : firstHidden).map(token => token.id);
  }
}
