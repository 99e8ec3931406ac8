/** One model's run: its text chunk by chunk, its figures, and a walk through its steps. */
import { chunkFacts, chunkProbability, describeChunk, readChunk, tintBounds, tintOf } from './chunk.js';
import { byId, make, partsOf, say } from './elements.js';
import { inspect } from './inspector.js';
import { drawTrace, markStep } from './trace.js';

/**
 * @import { CompletionEvent, Model, Timings } from './api.js'
 * @import { Chunk } from './chunk.js'
 * @import { Settings } from './settings.js'
 */

export class Column {
  /** @type {Chunk[]} */
  #chunks = [];
  /** @type {HTMLElement[]} */
  #spans = [];
  /** How many chunks are on the page. */
  #shown = 0;
  #frame = 0;
  #current = -1;
  /** The inspector shows the newest chunk until the user picks one. */
  #isFollowing = true;
  /** @type {Timings | null} */
  timings = null;

  /**
   * @param {Model} model
   * @param {Settings} settings
   * @param {{ onSeed: (seed: number) => void, onText: (text: string) => void }} listeners
   */
  constructor(model, settings, { onSeed, onText }) {
    const copy = /** @type {DocumentFragment} */ (
      byId('column', HTMLTemplateElement).content.cloneNode(true)
    );
    const part = partsOf(copy);
    this.model = model;
    this.onText = onText;
    this.element = /** @type {HTMLElement} */ (copy.firstElementChild);
    this.figures = {
      rate: part('rate', HTMLElement),
      draws: part('draws', HTMLElement),
      steps: part('steps', HTMLElement),
      tokens: part('tokens', HTMLElement),
      first: part('first', HTMLElement),
    };
    this.state = part('state', HTMLElement);
    this.error = part('error', HTMLElement);
    this.notice = part('notice', HTMLElement);
    this.text = part('text', HTMLElement);
    this.walk = part('walk', HTMLElement);
    this.walker = part('walker', HTMLInputElement);
    this.inspector = part('inspector', HTMLElement);
    this.traceBox = part('trace', HTMLElement);
    this.trace = {
      bars: part('bars', SVGPathElement),
      weak: part('weak', SVGPathElement),
      here: part('here', SVGPathElement),
      scale: part('scale', HTMLElement),
    };
    this.traceBox.hidden = model.meta.kind !== 'calm';
    part('name', HTMLElement).textContent = model.id;
    part('kind', HTMLElement).textContent = describeKind(model);
    part('given', HTMLElement).textContent = settings.prompt;
    // It scrolls, and must do so without a pointer too.
    this.text.tabIndex = 0;
    this.text.setAttribute('aria-label', `Text of ${model.id}`);
    this.walker.setAttribute('aria-label', `Walk through the chunks of ${model.id}`);
    const seed = part('seed', HTMLElement);
    seed.textContent = String(settings.seed);
    seed.title = 'Use this seed again';
    seed.setAttribute('aria-label', `${settings.seed}: use this seed again`);
    seed.addEventListener('click', () => onSeed(settings.seed));
    this.#listen();
    this.setState('waiting', 'Waiting');
  }

  /** @param {CompletionEvent} event */
  add(event) {
    const chunk = readChunk(event, this.timings);
    this.timings = event.timings ?? this.timings;
    if (chunk) this.#chunks.push(chunk);
    // Models may be quicker than the screen: what came since the last frame is drawn together.
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /**
   * @param {'waiting' | 'running' | 'done' | 'stopped' | 'failed'} state
   * @param {string} words
   */
  setState(state, words) {
    this.element.dataset.state = state;
    this.state.textContent = words;
    const isOpen = state === 'waiting' || state === 'running';
    this.text.setAttribute('aria-busy', String(isOpen));
    if (!isOpen) this.#draw();
  }

  /** @param {string} sentence */
  fail(sentence) {
    this.setState('failed', 'Failed');
    say(this.error, sentence);
  }

  /** @param {readonly string[]} names of parameters that the model does not honour */
  ignore(names) {
    if (names.length > 0) say(this.notice, `Not honoured by this model: ${names.join(', ')}.`);
  }

  #listen() {
    /** @param {Event} event */
    const pickSpan = event => {
      const index = this.#spans.indexOf(/** @type {HTMLElement} */ (event.target));
      if (index >= 0) this.#pick(index);
    };
    this.text.addEventListener('pointerover', pickSpan);
    this.text.addEventListener('click', pickSpan);
    this.walker.addEventListener('input', () => this.#pick(this.walker.valueAsNumber - 1));
    this.traceBox.addEventListener('pointermove', event => {
      const { left, width } = this.traceBox.getBoundingClientRect();
      this.#pick(Math.floor(((event.clientX - left) / width) * this.#shown));
    });
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#drawText();
    this.#drawFigures();
    if (this.#shown === 0) return;
    this.walk.hidden = false;
    this.walker.max = String(this.#shown);
    if (!this.traceBox.hidden) drawTrace(this.trace, this.#chunks);
    this.#select(this.#isFollowing ? this.#shown - 1 : this.#current);
  }

  #drawText() {
    const fresh = this.#chunks.slice(this.#shown);
    if (fresh.length === 0) return;
    const { scrollTop, scrollHeight, clientHeight } = this.text;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - 8;
    const spans = fresh.map((chunk, index) => chunkSpan(chunk, this.#shown + index));
    this.#spans.push(...spans);
    this.#shown = this.#chunks.length;
    this.text.append(...spans);
    if (isAtEnd) this.text.scrollTop = this.text.scrollHeight;
    this.onText(fresh.map(chunk => chunk.text).join(''));
    if (fresh.some(chunkProbability)) this.#showLegend();
  }

  #drawFigures() {
    const { timings, figures } = this;
    if (!timings || timings.chunks === 0) return;
    const { predicted_per_second: rate, draws, chunks, predicted_n: tokens, prompt_ms: firstMs } = timings;
    figures.rate.textContent = rate >= 100 ? rate.toFixed(0) : rate.toFixed(1);
    figures.draws.textContent = (draws / chunks).toFixed(1);
    figures.steps.textContent = String(chunks);
    figures.tokens.textContent = String(tokens);
    figures.first.textContent = `${firstMs.toFixed(0)} ms`;
  }

  #showLegend() {
    if (this.element.querySelector('.legend')) return;
    const steps = tintBounds.map((bound, level) =>
      make('span', `chunk p${level}`, bound === 0 ? 'less' : `${bound * 100} %`),
    );
    this.text.after(make('p', 'hint legend', 'Probability of a chunk, at least: ', ...steps));
  }

  /** @param {number} index */
  #pick(index) {
    this.#isFollowing = false;
    this.#select(Math.min(Math.max(index, 0), this.#shown - 1));
  }

  /** @param {number} index */
  #select(index) {
    const chunk = this.#chunks[index];
    if (!chunk) return;
    this.#spans[this.#current]?.classList.remove('here');
    this.#spans[index]?.classList.add('here');
    this.#current = index;
    this.walker.value = String(index + 1);
    this.walker.setAttribute('aria-valuetext', describeChunk(chunk, index, this.#shown));
    markStep(this.trace, index);
    inspect(this.inspector, this.model, chunk, index, this.#shown);
  }
}

/** @param {Model} model */
function describeKind({ meta: { kind, chunk_size: size } }) {
  return kind === 'calm' ? `CALM, ${size} tokens a step` : 'Token model, one token a step';
}

/**
 * @param {Chunk} chunk
 * @param {number} index
 */
function chunkSpan(chunk, index) {
  const span = make('span', `chunk ${tintOf(chunk, index)}`, chunk.text);
  if (chunk.isFallback) span.classList.add('fallback');
  if (chunk.text === '') span.classList.add('blank');
  span.title = chunkFacts(chunk).join(', ');
  return span;
}
