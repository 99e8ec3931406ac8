/** The playground: connects to the server, runs prompts, stops them. */

import { Announcer, announce } from './announcer.js';
import { ApiError, apiKey, listModels, streamCompletion } from './api.js';
import { Column } from './column.js';
import { compare } from './comparison.js';
import { byId, say } from './elements.js';
import { askForKey } from './key-dialog.js';
import { fitSettings, readSettings, setSeed, toRequest } from './settings.js';

/**
 * @import { Model } from './api.js'
 * @import { Settings } from './settings.js'
 */

const form = byId('settings', HTMLFormElement);
const runButton = byId('run', HTMLButtonElement);
const stopButton = byId('stop', HTMLButtonElement);
const modelChoice = byId('model', HTMLSelectElement);
const otherChoice = byId('other', HTMLSelectElement);
const beside = byId('beside', HTMLInputElement);
const columnsPlace = byId('columns', HTMLElement);
const connection = byId('connection', HTMLElement);
const retryButton = byId('retry', HTMLButtonElement);
const keyButton = byId('key', HTMLButtonElement);
const problem = byId('problem', HTMLElement);
const comparison = byId('comparison', HTMLElement);
const loadingRetryMs = 1000;

const page = {
  /** @type {Model[]} */
  models: [],
  /** @type {AbortController | null} ends the run that goes on */
  running: null,
};

async function connect() {
  retryButton.hidden = true;
  connection.textContent = 'Looking for models…';
  try {
    const models = await listModels();
    if (models.length === 0 || models.some(model => model.status === 'loading')) return waitForModels();
    page.models = models;
    showModels();
    say(problem, '');
    connection.textContent =
      page.models.length === 1 ? '1 model served' : `${page.models.length} models served`;
  } catch (error) {
    await explainConnection(error);
  }
  keyButton.hidden &&= apiKey.get() === '';
}

/** @param {unknown} error */
async function explainConnection(error) {
  const { status, message } = asApiError(error);
  connection.textContent = 'Not connected';
  if (status === 401) {
    keyButton.hidden = false;
    if (await askForKey(message)) return connect();
    return say(problem, 'This server wants an API key.');
  }
  if (status === 503) return waitForModels();
  retryButton.hidden = false;
  say(problem, message);
}

function waitForModels() {
  connection.textContent = 'The server is loading its models…';
  setTimeout(connect, loadingRetryMs);
}

function showModels() {
  modelChoice.replaceChildren(...page.models.map(toOption));
  modelChoice.disabled = false;
  beside.disabled = page.models.length < 2;
  byId('beside-hint', HTMLElement).textContent = beside.disabled
    ? 'Needs a second model: this server serves one. Start it with --model twice, for a CALM and its token baseline.'
    : '';
  runButton.disabled = page.running !== null;
  fitChoices();
}

/** @param {Model} model */
function toOption(model) {
  const { kind, chunk_size: size } = model.meta;
  return new Option(`${model.id} (${kind === 'calm' ? `CALM, K = ${size}` : 'token model'})`, model.id);
}

/** Lets the second choice offer the other models, a token model first where the first choice is a CALM. */
function fitChoices() {
  const model = findModel(modelChoice.value);
  const before = otherChoice.value;
  const others = page.models.filter(other => other !== model);
  const unlike = others.find(other => other.meta.kind !== model.meta.kind);
  otherChoice.replaceChildren(...others.map(toOption));
  otherChoice.value = others.some(other => other.id === before) ? before : ((unlike ?? others[0])?.id ?? '');
  for (const field of ['other-field', 'order-field']) byId(field, HTMLElement).hidden = !beside.checked;
  fitSettings(model, beside.checked ? findModel(otherChoice.value) : null);
}

/** @param {string} id */
function findModel(id) {
  const model = page.models.find(model => model.id === id) ?? page.models[0];
  if (!model) throw new Error('The server lists no models.');
  return model;
}

async function run() {
  const settings = readSettings();
  const isPair = beside.checked;
  const models = [findModel(modelChoice.value), ...(isPair ? [findModel(otherChoice.value)] : [])];
  const together = byId('order', HTMLSelectElement).value === 'together';
  const announcer = new Announcer();
  const columns = models.map(
    model => new Column(model, settings, { onSeed: setSeed, onText: text => isPair || announcer.add(text) }),
  );
  const controller = new AbortController();
  columnsPlace.replaceChildren(...columns.map(column => column.element));
  say(problem, '');
  say(comparison, '');
  setRunning(controller);
  announce(isPair ? 'Both models write.' : `${models[0]?.id} writes.`);
  const runs = columns.map(column => () => runColumn(column, settings, controller.signal));
  if (together) await Promise.all(runs.map(start => start()));
  else for (const start of runs) await start();
  setRunning(null);
  announcer.end(columns.map(column => `${column.model.id}: ${column.state.textContent}.`).join(' '));
  if (columns.every(column => column.element.dataset.state === 'done'))
    say(comparison, compare(columns, together));
}

/**
 * @param {Column} column
 * @param {Settings} settings
 * @param {AbortSignal} signal
 */
async function runColumn(column, settings, signal) {
  try {
    signal.throwIfAborted();
    column.setState('running', 'Writing…');
    const { ignored, events } = await streamCompletion(toRequest(settings, column.model), signal);
    column.ignore(ignored);
    let reason = null;
    for await (const event of events) {
      column.add(event);
      reason = event.choices[0]?.finish_reason ?? reason;
    }
    column.setState('done', reason === 'length' ? 'Done: max tokens reached' : 'Done: the text ended');
  } catch (error) {
    if (signal.aborted) return column.setState('stopped', 'Stopped');
    const { status, message } = asApiError(error);
    column.fail(message);
    if (status === 401) await explainConnection(error);
  }
}

/** @param {AbortController | null} controller */
function setRunning(controller) {
  const focused = document.activeElement;
  page.running = controller;
  runButton.disabled = controller !== null;
  stopButton.disabled = controller === null;
  // A disabled button loses the focus: keep it with what can be done now.
  if (controller && focused === runButton) stopButton.focus();
  if (!controller && focused === stopButton) runButton.focus();
}

/** @param {unknown} error */
function asApiError(error) {
  if (error instanceof ApiError) return error;
  console.error(error);
  return new ApiError(0, 'The connection broke, or the answer could not be read.');
}

form.addEventListener('submit', event => {
  event.preventDefault();
  if (!page.running && page.models.length > 0) run();
});
form.addEventListener('change', event => {
  if (event.target === modelChoice || event.target === otherChoice || event.target === beside) fitChoices();
});
stopButton.addEventListener('click', () => page.running?.abort());
retryButton.addEventListener('click', connect);
keyButton.addEventListener('click', async () => {
  if (await askForKey('The key that this page sends with its requests.')) connect();
});
document.addEventListener('keydown', event => {
  if (document.querySelector('dialog[open]')) return;
  if (event.key === 'Escape') page.running?.abort();
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    if (!page.running) form.requestSubmit();
  }
});
if (/Mac|iPhone|iPad/.test(navigator.userAgent)) byId('run-key', HTMLElement).textContent = '⌘ Enter';

connect();
