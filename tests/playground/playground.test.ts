/** The playground in a real Chromium against the real server: what its user sees and can do. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen, listenWhileLoading } from '../../src/server/listen.js';
import { ServedModels } from '../../src/server/models/served-model.js';
import { Lifecycle } from '../../src/server/requests/lifecycle.js';
import { eosTokenId } from '../server/fake-model.js';
import { startFakeServer, startServer, type TestServer } from '../server/start-server.js';
import { until } from '../server/until.js';
import { findChromium, launchChromium, openPage, pageTimeoutMs } from './browser.js';
import { holdSteps } from './stepped-model.js';

const hasChromium = findChromium() !== null;
if (!hasChromium) {
  console.warn('The playground was not tested: install Chromium, or name one in CHROMIUM.');
}
/** Text that the fake model writes for seed 1: four bytes a chunk. */
const recite = (text: string) => new Map([[1, [...Buffer.from(text), eosTokenId, 0, 0, 0]]]);
/** A fake model that writes for as long as it is let. */
const endless = { contextChunks: 20_000, served: { endTokenIds: [] } };

const chunks = (page: Page) => page.locator('.text .chunk');
const state = (page: Page) => page.locator('.state');
const run = (page: Page) => page.getByRole('button', { name: 'Run' });

/** Completions of which the server knows that they are over: it hears of a stop later than the page shows it. */
const completionsOver = ({ requests }: TestServer) =>
  requests.filter(({ route }) => route === '/v1/completions').length;

async function isReady(page: Page): Promise<void> {
  await page.locator('#run:enabled').waitFor();
}

async function setSeed(page: Page, seed: number): Promise<void> {
  await page.getByLabel('Seed', { exact: true }).fill(String(seed));
}

/** Waits for the words; the test's timeout is the limit. */
async function sees(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}

describe.skipIf(!hasChromium)('the playground in Chromium', { timeout: pageTimeoutMs }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => browser?.close());

  it('shows the text chunk by chunk while the model writes, and the figures with it', async () => {
    const text = 'One fine dåy 日本 flew.\n';
    await using server = await startFakeServer({ scripts: recite(text) });
    const allow = holdSteps(server.model);
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await isReady(page);
    await setSeed(page, 1);
    await run(page).click();
    await sees(page, '.state', 'Writing');
    for (const count of [1, 2, 3]) {
      allow(1);
      await chunks(page)
        .nth(count - 1)
        .waitFor();
      expect(await chunks(page).allTextContents()).toHaveLength(count);
      expect(await page.locator('[data-part="steps"]').textContent()).toBe(String(count));
      expect(await page.locator('[data-part="tokens"]').textContent()).toBe(String(4 * count));
    }
    expect(await state(page).textContent()).toBe('Writing…');
    allow(1000);
    await sees(page, '.state', 'Done: the text ended');
    expect((await chunks(page).allTextContents()).join('')).toBe(text);
    expect(await page.locator('[data-part="draws"]').textContent()).toBe('1.0');
    expect(Number(await page.locator('[data-part="rate"]').textContent())).toBeGreaterThan(0);
    expect(view.complaints).toEqual([]);
  });

  it('stops by its button and by Escape, keeps the text, and frees the slot', async () => {
    await using server = await startFakeServer(endless);
    const allow = holdSteps(server.model);
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await isReady(page);
    await page.getByLabel('Max tokens').fill('60000');
    const stops = [
      () => page.getByRole('button', { name: 'Stop' }).click(),
      () => page.keyboard.press('Escape'),
    ];
    for (const [index, stop] of stops.entries()) {
      await run(page).click();
      allow(3);
      await chunks(page).nth(2).waitFor();
      expect(server.engine.stats().leasedSlots).toBe(1);
      await stop();
      await sees(page, '.state', 'Stopped');
      await until(() => completionsOver(server) === index + 1);
      // The step that was under way ends, and nothing follows it.
      allow(1);
      await until(() => server.engine.stats().finished.aborted === index + 1);
      expect(server.engine.stats().leasedSlots).toBe(0);
      expect(await chunks(page).count()).toBe(3);
      expect(await run(page).isEnabled()).toBe(true);
    }
    expect(view.complaints).toEqual([]);
  });

  it('takes nothing for HTML: not the text, the prompt, a model’s name, or an error', async () => {
    const evil = '<img src=x onerror="alert(1)"><script>alert(2)</script>&amp;</section><b>bold</b>';
    const served = { id: '<i>evil</i>"\'' };
    await using server = await startFakeServer({ scripts: recite(evil), served });
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await isReady(page);
    const before = await page.locator('img, script, b, i').count();
    await setSeed(page, 1);
    await page.getByLabel('Prompt', { exact: true }).fill(evil);
    await run(page).click();
    await sees(page, '.state', 'Done');
    expect(await page.locator('.given').textContent()).toBe(evil);
    expect((await chunks(page).allTextContents()).join('')).toBe(evil);
    expect(await page.locator('h2[data-part="name"]').textContent()).toBe(served.id);
    await page.locator('.chunk').nth(1).hover();
    expect(await page.locator('img, script, b, i').count()).toBe(before);
    expect(view.complaints).toEqual([]);
  });

  it('refuses to make HTML of a string, even for a script of its own', async () => {
    await using server = await startFakeServer();
    await using view = await openPage(browser, server.url);
    const refused = await view.page.evaluate(
      `try { document.body.innerHTML = '<b>x</b>'; 'taken' } catch (error) { error.name }`,
    );
    expect(refused).toBe('TypeError');
    expect(view.complaints.join()).toContain('TrustedHTML');
  });

  it('asks for the API key, says when it is wrong, and keeps it for the tab alone', async () => {
    await using server = await startFakeServer({ apiKeys: ['right'], scripts: recite('It flew.') });
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await page.getByRole('dialog').waitFor();
    await page.getByLabel('Key', { exact: true }).fill('wrong');
    await page.getByRole('button', { name: 'Use key' }).click();
    await sees(page, '#key-reason', 'not one of this server');
    await page.getByLabel('Key', { exact: true }).fill('right');
    await page.keyboard.press('Enter');
    await isReady(page);
    await setSeed(page, 1);
    await run(page).click();
    await sees(page, '.state', 'Done');
    await page.reload();
    await isReady(page);
    const stored = await page.evaluate(
      '[Object.values(sessionStorage), localStorage.length, document.cookie]',
    );
    expect(stored).toEqual([['right'], 0, '']);
    await page.getByRole('button', { name: 'API key' }).click();
    await page.getByRole('button', { name: 'Forget key' }).click();
    await sees(page, '#key-reason', 'wants an API key');
    await page.keyboard.press('Escape');
    await sees(page, '#problem', 'wants an API key');
  });

  it('runs a CALM and a token model side by side, with one prompt and one seed', async () => {
    await using calm = await startFakeServer({ scripts: recite('A calm text.') });
    await using token = await startFakeServer({
      scripts: recite('One by one.'),
      served: { id: 'baseline', kind: 'token' },
    });
    await using server = await startServer([calm.served, token.served]);
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await isReady(page);
    await page.getByLabel('Side by side').check();
    await setSeed(page, 1);
    await page.getByLabel('Prompt', { exact: true }).fill('Same');
    for (const order of ['together', 'after']) {
      view.asked.length = 0;
      await page.getByLabel('The two run').selectOption(order);
      await run(page).click();
      await sees(page, '#comparison', 'fake took 4 steps for 12 tokens, baseline took 3 steps for 11 tokens');
      const texts = page.locator('.text');
      expect(await texts.nth(0).textContent()).toBe('SameA calm text.');
      expect(await texts.nth(1).textContent()).toBe('SameOne by one.');
      expect(view.asked).toMatchObject([
        { model: 'fake', prompt: 'Same', seed: 1, num_candidates: 200 },
        { model: 'baseline', prompt: 'Same', seed: 1 },
      ]);
      expect(view.asked[1]).not.toHaveProperty('num_candidates');
    }
    expect(view.complaints).toEqual([]);
  });

  it('stops both sides, also the one that has not begun', async () => {
    await using calm = await startFakeServer(endless);
    const allow = holdSteps(calm.model);
    await using token = await startFakeServer({
      ...endless,
      served: { ...endless.served, id: 'baseline', kind: 'token' },
    });
    await using server = await startServer([calm.served, token.served]);
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await isReady(page);
    await page.getByLabel('Side by side').check();
    await page.getByLabel('The two run').selectOption('after');
    await page.getByLabel('Max tokens').fill('60000');
    await run(page).click();
    allow(3);
    await chunks(page).nth(2).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('[data-state="stopped"]').nth(1).waitFor();
    await until(() => completionsOver(server) === 1);
    allow(1);
    await until(() => calm.engine.stats().finished.aborted === 1);
    expect(view.asked).toHaveLength(1);
    expect(await page.locator('#comparison').isHidden()).toBe(true);
  });

  it('says why one model alone cannot be compared', async () => {
    await using server = await startFakeServer();
    await using view = await openPage(browser, server.url);
    await isReady(view.page);
    expect(await view.page.getByLabel('Side by side').isDisabled()).toBe(true);
    await sees(view.page, '#beside-hint', 'Needs a second model');
  });

  it('can be used with the keyboard alone', async () => {
    await using server = await startFakeServer({ scripts: recite('The kite flew away.') });
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await isReady(page);
    const focused = () => page.evaluate('document.activeElement.id || document.activeElement.className');
    const tabTo = async (id: string) => {
      for (let presses = 0; presses < 30 && (await focused()) !== id; presses++)
        await page.keyboard.press('Tab');
      expect(await focused()).toBe(id);
    };
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('skip');
    await page.keyboard.press('Enter');
    await tabTo('prompt');
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('Kites');
    await tabTo('seed');
    await page.keyboard.type('1');
    await page.keyboard.press('ControlOrMeta+Enter');
    await sees(page, '.state', 'Done');
    expect(view.asked).toMatchObject([{ prompt: 'Kites', seed: 1 }]);
    await tabTo('text');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Home');
    const walker = page.getByRole('slider', { name: 'Walk through the chunks of fake' });
    expect(await walker.getAttribute('aria-valuetext')).toBe('Chunk 1 of 5: The, 1 draw');
    await page.keyboard.press('ArrowRight');
    expect(await walker.getAttribute('aria-valuetext')).toBe('Chunk 2 of 5: kite, 1 draw');
    expect(await page.locator('.chunk.here').textContent()).toBe('kite');
    expect(view.complaints).toEqual([]);
  });

  it('tells a screen reader sentences, not chunks, and how the run ended', async () => {
    await using server = await startFakeServer({ scripts: recite('The kite flew. It was red') });
    const allow = holdSteps(server.model);
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await isReady(page);
    await setSeed(page, 1);
    await run(page).click();
    allow(3);
    await chunks(page).nth(2).waitFor();
    expect(await page.locator('#announcer').textContent()).toBe('fake writes.');
    allow(1);
    await sees(page, '#announcer', 'The kite flew.');
    allow(1000);
    await sees(page, '#announcer', 'It was red fake: Done: the text ended.');
    expect(await page.locator('#announcer').getAttribute('aria-live')).toBe('polite');
  });

  it('shows the server’s own sentence when a request is refused, and when a run fails', async () => {
    await using server = await startFakeServer({ contextChunks: 64 });
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await isReady(page);
    await page.getByLabel('Prompt', { exact: true }).fill('long '.repeat(100));
    await run(page).click();
    await sees(page, '[data-part="error"]', /context/);
    await page.getByLabel('Prompt', { exact: true }).fill('short');
    const allow = holdSteps(server.model);
    await run(page).click();
    allow(2);
    await chunks(page).nth(1).waitFor();
    server.model.nextFailure = new Error('secret detail');
    allow(1000);
    await sees(page, '.state', 'Failed');
    const sentence = await page.locator('[data-part="error"]').textContent();
    expect(sentence).toMatch(/\w+ .*\./);
    expect(sentence).not.toContain('secret detail');
    expect(await chunks(page).count()).toBe(2);
  });

  it('says that the server is gone', async () => {
    const server = await startFakeServer();
    await using view = await openPage(browser, server.url);
    const { page } = view;
    await isReady(page);
    await server[Symbol.asyncDispose]();
    await run(page).click();
    await sees(page, '[data-part="error"]', 'cannot be reached');
    expect(await state(page).textContent()).toBe('Failed');
  });

  it('tries again when its user asks, once the server is back', async () => {
    await using fake = await startFakeServer({ scripts: recite('It flew.') });
    const gone = await listenWhileLoading({ host: '127.0.0.1', port: 0 });
    await using view = await openPage(browser, gone.url);
    const { page } = view;
    await sees(page, '#connection', 'loading');
    const retry = page.getByRole('button', { name: 'Try again' });
    expect(await retry.isHidden()).toBe(true);
    await gone.close(0);
    await sees(page, '#problem', 'cannot be reached');
    expect([await page.locator('#connection').textContent(), await run(page).isDisabled()]).toEqual([
      'Not connected',
      true,
    ]);
    await retry.click();
    await sees(page, '#problem', 'cannot be reached');
    const back = await listen(
      {
        models: new ServedModels([fake.served]),
        lifecycle: new Lifecycle(),
        maxBodyBytes: 1000,
        logFault: () => {},
      },
      { host: '127.0.0.1', port: gone.port },
    );
    try {
      await retry.click();
      await isReady(page);
      await retry.waitFor({ state: 'hidden' });
      expect(await page.locator('#problem').isHidden()).toBe(true);
      await setSeed(page, 1);
      await run(page).click();
      await sees(page, '.state', 'Done');
    } finally {
      await back.close(0);
    }
  });

  it('waits for a server that still loads its models', async () => {
    await using fake = await startFakeServer();
    const models = () => [{ id: 'fake', created: 0, status: 'loading' as const }];
    const loading = await listenWhileLoading({ host: '127.0.0.1', port: 0 }, { models });
    try {
      await using view = await openPage(browser, loading.url);
      await sees(view.page, '#connection', 'loading');
      expect(await run(view.page).isDisabled()).toBe(true);
      loading.serve({
        models: new ServedModels([fake.served]),
        lifecycle: new Lifecycle(),
        maxBodyBytes: 1000,
        logFault: () => {},
      });
      await isReady(view.page);
      await sees(view.page, '#connection', '1 model served');
    } finally {
      await loading.close(0);
    }
  });
});
