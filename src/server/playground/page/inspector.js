/** What there is to know of one chunk: its draws, and how probable each of its tokens was. */
import { showToken } from './api.js';
import { chunkProbability, showProbability, showSpaces } from './chunk.js';
import { make } from './elements.js';

/**
 * @import { Model, TokenStatistics } from './api.js'
 * @import { Chunk } from './chunk.js'
 */

/** @type {Map<string, Promise<string>>} texts of tokens that were asked for, by model and id */
const tokenTexts = new Map();

/**
 * @param {HTMLElement} place
 * @param {Model} model
 * @param {Chunk} chunk
 * @param {number} index
 * @param {number} total
 */
export function inspect(place, model, chunk, index, total) {
  const draws = `${chunk.draws} ${chunk.draws === 1 ? 'draw' : 'draws'}`;
  const facts = [`Step ${index + 1} of ${total}`, draws];
  if (chunk.isFallback) facts.push('a weaker law than asked for: no candidate met the temperature’s');
  place.replaceChildren(
    make('p', 'quote', chunk.text === '' ? '(no text)' : showSpaces(chunk.text)),
    make('p', 'facts', facts.join(' · ')),
    ...probabilityParts(model, chunk),
  );
}

/**
 * @param {Model} model
 * @param {Chunk} chunk
 */
function probabilityParts(model, chunk) {
  const counted = chunkProbability(chunk);
  if (!counted || !chunk.statistics) return [];
  const { count, of, probability } = counted;
  const were = count === 1 ? 'was' : 'were';
  const rows = chunk.statistics.map((token, place) => tokenRow(model, chunk.tokenIds[place], token));
  const head = make('tr', '', ...['token', 'probability', '95 % interval', 'counted'].map(columnHead));
  return [
    make(
      'p',
      'facts',
      `Probability ${showProbability(probability)}: ${count} of ${of} fresh candidates ${were} this chunk`,
    ),
    make('table', '', make('thead', '', head), make('tbody', '', ...rows)),
  ];
}

/** @param {string} text */
function columnHead(text) {
  const cell = make('th', '', text);
  cell.setAttribute('scope', 'col');
  return cell;
}

/**
 * @param {Model} model
 * @param {number | undefined} id none for a token behind the end of the text
 * @param {TokenStatistics} token
 */
function tokenRow(model, id, { probability, interval: [low, high], count, of }) {
  const name = make('th', 'token', id === undefined ? '(cut off)' : `#${id}`);
  name.setAttribute('scope', 'row');
  if (id !== undefined) nameToken(name, model, id);
  const bar = make('span', 'bar', make('span', 'span'), make('span', 'point'));
  bar.style.setProperty('--low', String(low));
  bar.style.setProperty('--high', String(high));
  bar.style.setProperty('--probability', String(probability ?? 0));
  bar.setAttribute('aria-hidden', 'true');
  return make(
    'tr',
    '',
    name,
    make('td', '', bar, probability === null ? '–' : showProbability(probability)),
    make('td', '', `${showProbability(low)} to ${showProbability(high)}`),
    make('td', '', `${count} of ${of}`),
  );
}

/**
 * Puts the token's text where its number stands, once the server has told it.
 *
 * @param {HTMLElement} place
 * @param {Model} model
 * @param {number} id
 */
async function nameToken(place, model, id) {
  const key = `${model.id} ${id}`;
  const asked = tokenTexts.get(key) ?? showToken(model.id, id);
  tokenTexts.set(key, asked);
  try {
    place.textContent = showSpaces(await asked);
  } catch {
    // The number says it too; the next time the server is asked again.
    tokenTexts.delete(key);
  }
}
