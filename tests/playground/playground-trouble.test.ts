/** What the playground says when a server refuses, fails, goes, or has not loaded its models. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen, listenWhileLoading } from '../../src/server/listen.js';
import { ServedModels } from '../../src/server/models/served-model.js';
import { Lifecycle } from '../../src/server/requests/lifecycle.js';
import { startFakeServer } from '../server/start-server.js';
import { findChromium, launchChromium, openPage, pageTimeoutMs } from './browser.js';
import { chunks, isReady, recite, run, sees, setSeed, state } from './page.js';
import { holdSteps } from './stepped-model.js';

const hasChromium = findChromium() !== null;

describe.skipIf(!hasChromium)('the playground and a server that fails', { timeout: pageTimeoutMs }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => browser?.close());

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
