/** The form: what the user asks for, and as the body of a request. */
import { byId } from './elements.js';

/** @import { Model } from './api.js' */

const temperature = byId('temperature', HTMLInputElement);
const maxTokens = byId('max-tokens', HTMLInputElement);
const candidates = byId('candidates', HTMLInputElement);
const law = byId('law', HTMLSelectElement);
const seed = byId('seed', HTMLInputElement);
const prompt = byId('prompt', HTMLTextAreaElement);
const statistics = byId('statistics', HTMLInputElement);
const statisticsHint = byId('statistics-hint', HTMLElement);
/** Fields that the user has set: another model's defaults leave them alone. */
const touched = new Set();
/** Longest text by default: enough to see, short enough to wait for. */
const usualMaxTokens = 120;

for (const field of [temperature, maxTokens, candidates]) {
  field.addEventListener('input', () => {
    touched.add(field);
    showValues();
  });
}

/**
 * One run's settings, the same for both sides.
 *
 * @typedef {{
 *   prompt: string, temperature: number, maxTokens: number, candidates: number, law: string, seed: number,
 *   statistics: boolean,
 * }} Settings
 * @returns {Settings}
 */
export function readSettings() {
  return {
    prompt: prompt.value,
    temperature: temperature.valueAsNumber,
    maxTokens: maxTokens.valueAsNumber,
    candidates: candidates.valueAsNumber,
    law: law.value,
    seed: Number.isNaN(seed.valueAsNumber) ? newSeed() : seed.valueAsNumber,
    statistics: statistics.checked && !statistics.disabled,
  };
}

/**
 * @param {Settings} settings
 * @param {Model} model
 * @returns {object} a completion request; a token model is not asked for what only a CALM has
 */
export function toRequest(settings, model) {
  const shared = {
    model: model.id,
    prompt: settings.prompt,
    temperature: settings.temperature,
    max_tokens: settings.maxTokens,
    seed: settings.seed,
    return_token_ids: true,
    timings_per_token: true,
  };
  if (model.meta.kind !== 'calm') return shared;
  return {
    ...shared,
    num_candidates: settings.candidates,
    chunk_statistics: settings.statistics,
    ...(settings.law ? { temperature_law: settings.law } : {}),
  };
}

/**
 * Shows what holds for this choice of models.
 *
 * @param {Model} model whose defaults fill the fields that the user left alone
 * @param {Model | null} other the model beside it
 */
export function fitSettings(model, other) {
  const defaults = model.meta.defaults ?? {};
  fill(temperature, defaults.temperature, 1);
  fill(candidates, defaults.num_candidates, 200);
  fill(maxTokens, undefined, usualMaxTokens);
  const hasCalm = [model, other].some(shown => shown?.meta.kind === 'calm');
  for (const field of [candidates, law]) field.disabled = !hasCalm;
  statistics.disabled = !hasCalm || other !== null;
  showValues();
}

/** @param {number} value */
export function setSeed(value) {
  seed.value = String(value);
  seed.focus();
}

function showValues() {
  byId('temperature-value', HTMLOutputElement).value = temperature.valueAsNumber.toFixed(2);
  statisticsHint.textContent = statistics.disabled
    ? 'For a CALM on its own only: counting costs draws, and a comparison would pay for them.'
    : `${candidates.value || 'N'} more draws a chunk show how probable it was, and make the run slower.`;
}

/**
 * @param {HTMLInputElement} field
 * @param {unknown} value
 * @param {number} otherwise
 */
function fill(field, value, otherwise) {
  if (!touched.has(field)) field.value = String(typeof value === 'number' ? value : otherwise);
}

/** A seed that is easy to read aloud. */
function newSeed() {
  return Math.floor(Math.random() * 100_000);
}
