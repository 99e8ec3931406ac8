/** The playground in a real Chromium against the real server: what its user sees and can do. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeServer, startServer } from '../server/start-server.js';
import { until } from '../server/until.js';
import { findChromium, launchChromium, openPage, pageTimeoutMs } from './browser.js';
import { chunks, completionsOver, endless, isReady, recite, run, sees, setSeed, state } from './page.js';
import { holdSteps } from './stepped-model.js';

const hasChromium = findChromium() !== null;
if (!hasChromium) {
  console.warn('The playground was not tested: install Chromium, or name one in CHROMIUM.');
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
});
