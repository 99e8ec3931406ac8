/**
 * Open WebUI against this server, in a Chromium: its list of models, a streamed chat, its stop button, and the titles
 * that it asks for in the background. What it sends is recorded on the way. Takes docs/images/open-webui.png.
 *
 *   npm run build && node scripts/open-webui.js [model package ...]
 *
 * Needs Python 3.11 or 3.12 (as PYTHON, else python3), 7 GB of disk for Open WebUI's virtual environment, which stays
 * in ~/.cache/calm-serve, and a Chromium. OPEN_WEBUI names the program of an installation that is there already.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startServer } from './start-server.js';

const version = '0.12.4';
const patienceMs = 1_200_000;
const root = fileURLToPath(new URL('..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'open-webui-'));
/** End the programs of which nothing must be left when this script ends. */
const endings = [];

function install() {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const folder = join(cache, 'calm-serve', `open-webui-${version}`);
  if (!existsSync(join(folder, 'ready'))) {
    rmSync(folder, { recursive: true, force: true });
    execFileSync(process.env.PYTHON ?? 'python3', ['-m', 'venv', folder]);
    const pip = ['install', '--quiet', `open-webui==${version}`];
    execFileSync(join(folder, 'bin/pip'), pip, { stdio: 'inherit' });
    writeFileSync(join(folder, 'ready'), '');
  }
  const ask = `from importlib.metadata import version; print('open-webui', version('open-webui'))`;
  execFileSync(join(folder, 'bin/python'), ['-c', ask], { stdio: 'inherit' });
  return join(folder, 'bin/open-webui');
}

/** Passes everything on to the server and notes it. Resolves with its port and its notes. */
async function startRecorder(target) {
  const seen = [];
  const recorder = createServer(async (incoming, answer) => {
    const parts = [];
    for await (const part of incoming) parts.push(part);
    const note = { path: incoming.url, body: null, status: 0, events: 0, hasEnded: false };
    if (parts.length > 0) note.body = JSON.parse(Buffer.concat(parts));
    seen.push(note);
    const { method, headers } = incoming;
    const outgoing = request(target + incoming.url, { method, headers }, response => {
      note.status = response.statusCode;
      answer.writeHead(response.statusCode, response.headers);
      response.on('data', part => {
        note.events += part.toString().split('data: ').length - 1;
        answer.write(part);
      });
      response.on('end', () => {
        note.hasEnded = true;
        answer.end();
      });
    });
    outgoing.on('error', () => answer.destroy());
    answer.on('close', () => outgoing.destroy());
    outgoing.end(Buffer.concat(parts));
  });
  await new Promise(resolve => recorder.listen(0, '127.0.0.1', resolve));
  return { recorder, seen, port: recorder.address().port };
}

async function freePort() {
  const server = createServer();
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** Starts Open WebUI without accounts and without anything that it would fetch, and resolves with its address. */
async function startOpenWebUi(program, apiPort) {
  const port = await freePort();
  const log = openSync(join(work, 'log'), 'w');
  const env = {
    ...process.env,
    DATA_DIR: work,
    WEBUI_AUTH: 'False',
    WEBUI_SECRET_KEY: 'none',
    OPENAI_API_BASE_URL: `http://127.0.0.1:${apiPort}/v1`,
    OPENAI_API_KEY: 'none',
    ENABLE_OLLAMA_API: 'False',
    OFFLINE_MODE: 'True',
    HF_HUB_OFFLINE: '1',
    RAG_EMBEDDING_ENGINE: 'openai',
    ANONYMIZED_TELEMETRY: 'False',
  };
  const child = spawn(program, ['serve', '--host', '127.0.0.1', '--port', String(port)], {
    env,
    cwd: work,
    stdio: ['ignore', log, log],
  });
  endings.push(() => child.kill());
  const url = `http://127.0.0.1:${port}`;
  await until('Open WebUI to be ready', async () => {
    if (child.exitCode !== null) throw new Error(readFileSync(join(work, 'log'), 'utf8'));
    return (await fetch(`${url}/health`).catch(() => null))?.ok;
  });
  return url;
}

async function until(what, condition) {
  const end = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Waited in vain for ${what}.`);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

async function say(page, words) {
  await page.locator('#chat-input').click();
  await page.keyboard.type(words);
  await page.keyboard.press('Enter');
}

const isChat = ({ path }) => path === '/v1/chat/completions';
const stopButton = page => page.getByRole('button', { name: 'Stop', exact: true });
const answerText = page => page.locator('.chat-assistant').last().innerText();

async function checkModelList(page, seen, models) {
  await page.locator('#model-selector-model-button').click();
  for (const { id } of models) await page.getByRole('option', { name: id }).first().waitFor();
  await page.keyboard.press('Escape');
  assert(seen.some(({ path, status }) => path === '/v1/models' && status === 200));
  console.log(`models: ${models.map(({ id }) => id).join(', ')} can be chosen`);
}

async function checkStream(page, seen) {
  await say(page, 'The Red Kite');
  await page.locator('.chat-assistant').waitFor();
  const lengths = new Set();
  await until('the answer', async () => {
    lengths.add((await answerText(page)).length);
    const note = seen.find(note => isChat(note) && note.body.stream);
    return note?.hasEnded && (await stopButton(page).count()) === 0;
  });
  const { body, status, events } = seen.find(note => isChat(note) && note.body.stream);
  assert.equal(status, 200);
  assert(
    events > 5 && lengths.size > 3,
    `The answer came in ${events} events and was seen to grow ${lengths.size} times.`,
  );
  assert.equal(body.messages.at(-1).content, 'The Red Kite');
  console.log(
    `chat: ${events} events, seen growing through ${lengths.size} lengths: ${(await answerText(page)).slice(0, 60)}`,
  );
}

async function checkTitle(seen) {
  const isTitle = note =>
    isChat(note) && !note.body.stream && /title/i.test(JSON.stringify(note.body.messages));
  await until('the request for a title', () => seen.some(note => isTitle(note) && note.hasEnded));
  const { status, body } = seen.find(isTitle);
  assert.equal(status, 200);
  console.log(
    `title: one request without a stream, max_tokens ${body.max_tokens ?? body.max_completion_tokens}, status 200`,
  );
}

async function checkStop(page, url, seen, calm) {
  await page.goto(url);
  const before = seen.length;
  await say(page, 'A very long story');
  const stream = () => seen.slice(before).find(note => isChat(note) && note.body.stream);
  await until('the first words', () => (stream()?.events ?? 0) > 2);
  await stopButton(page).click();
  await until('the button to go', async () => (await stopButton(page).count()) === 0);
  await until('an idle server', async () => {
    const metrics = await (await fetch(`${calm}/metrics`)).text();
    return (
      /^vllm:num_requests_running\b.* 0$/m.test(metrics) &&
      !/^vllm:num_requests_(running|waiting)\b.* [1-9]/m.test(metrics)
    );
  });
  assert.equal(stream().hasEnded, false, 'The answer had ended before it was stopped.');
  console.log(`stop: the answer ended after ${stream().events} events, and the server is idle`);
}

const program = process.env.OPEN_WEBUI ?? install();
const executablePath =
  process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync);
let browser;
let recorder;
try {
  const { url: calm, end } = await startServer(process.argv.slice(2).flatMap(model => ['--model', model]));
  endings.push(end);
  const recording = await startRecorder(calm);
  recorder = recording.recorder;
  const { seen } = recording;
  const { data: models } = await (await fetch(`${calm}/v1/models`)).json();
  const url = await startOpenWebUi(program, recording.port);
  browser = await chromium.launch({ executablePath, args: ['--disable-gpu'] });
  const page = await browser.newPage({ viewport: { width: 1100, height: 640 } });
  page.setDefaultTimeout(patienceMs);
  await page.goto(url);
  await page.locator('#chat-input').waitFor();
  // What's new in this release stands in front of everything once, some time after the page.
  const news = page.getByRole('dialog').filter({ hasText: 'What’s New' }).or(page.getByText('Release Notes'));
  await page.addLocatorHandler(news.first(), () => page.keyboard.press('Escape'));
  await checkModelList(page, seen, models);
  await checkStream(page, seen);
  await checkTitle(seen);
  await page.screenshot({ path: join(root, 'docs/images/open-webui.png') });
  await checkStop(page, url, seen, calm);
  const background = seen.filter(note => isChat(note) && !note.body.stream);
  console.log(`background requests: ${background.map(({ status }) => status).join(', ')}`);
} finally {
  await browser?.close();
  for (const end of endings) end();
  recorder?.closeAllConnections();
  recorder?.close();
  rmSync(work, { recursive: true, force: true });
}
