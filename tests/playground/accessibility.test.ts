/** What axe finds in the playground, in every state that its user meets, light and dark; and that narrow windows hold it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eosTokenId } from '../server/fake-model.js';
import { startFakeServer, startServer } from '../server/start-server.js';
import { findChromium, launchChromium, openPage, pageTimeoutMs } from './browser.js';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const scripts = new Map([[1, [...Buffer.from('The kite flew.'), eosTokenId, 0, 0, 0]]]);
const colorSchemes = ['light', 'dark'] as const;

/** The rules that the page breaks, with the elements that break them. */
async function findFaults(page: Page): Promise<string[]> {
  // Colours that still change would be judged halfway.
  await page.evaluate('Promise.all(document.getAnimations().map(animation => animation.finished))');
  const { violations, passes } = (await page.evaluate('axe.run(document)')) as AxeResults;
  expect(passes.length).toBeGreaterThan(10);
  return violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html}`));
}

describe.skipIf(findChromium() === null)('the playground’s accessibility', { timeout: pageTimeoutMs }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => browser?.close());

  it.each(colorSchemes)('has no faults that axe knows, %s', async colorScheme => {
    await using calm = await startFakeServer({ scripts });
    await using token = await startFakeServer({ scripts, served: { id: 'baseline', kind: 'token' } });
    await using server = await startServer([calm.served, token.served]);
    // The checker is a script in the page, which the page's own policy would refuse.
    await using view = await openPage(browser, server.url, { colorScheme, bypassCSP: true });
    const { page } = view;
    await page.evaluate(axeSource);
    await page.locator('#run:enabled').waitFor();
    expect(await findFaults(page)).toEqual([]);
    await page.getByLabel('Side by side').check();
    await page.getByLabel('Seed', { exact: true }).fill('1');
    await page.getByRole('button', { name: 'Run' }).click();
    await page.locator('#comparison').waitFor();
    expect(await findFaults(page)).toEqual([]);
  });

  it.each(colorSchemes)('has none in its dialog and its errors either, %s', async colorScheme => {
    await using server = await startFakeServer({ apiKeys: ['key'] });
    await using view = await openPage(browser, server.url, { colorScheme, bypassCSP: true });
    const { page } = view;
    await page.evaluate(axeSource);
    await page.getByRole('dialog').waitFor();
    expect(await findFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('#problem').waitFor();
    expect(await findFaults(page)).toEqual([]);
  });

  it('fits a window of 320 pixels without scrolling sideways', async () => {
    await using server = await startFakeServer({ scripts });
    await using view = await openPage(browser, server.url, { viewport: { width: 320, height: 640 } });
    const { page } = view;
    await page.locator('#run:enabled').waitFor();
    await page.getByLabel('Prompt', { exact: true }).fill('w'.repeat(200));
    await page.getByLabel('Seed', { exact: true }).fill('1');
    await page.getByRole('button', { name: 'Run' }).click();
    await page.locator('.column[data-state="done"]').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
  });
});
