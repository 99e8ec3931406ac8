/** What the playground's tests look at and do on its page. */
import type { Page } from 'playwright-core';
import { eosTokenId } from '../server/fake-model.js';
import type { TestServer } from '../server/start-server.js';

/** Text that the fake model writes for seed 1: four bytes a chunk. */
export const recite = (text: string) => new Map([[1, [...Buffer.from(text), eosTokenId, 0, 0, 0]]]);
/** A fake model that writes for as long as it is let. */
export const endless = { contextChunks: 20_000, served: { endTokenIds: [] } };

export const chunks = (page: Page) => page.locator('.text .chunk');
export const state = (page: Page) => page.locator('.state');
export const run = (page: Page) => page.getByRole('button', { name: 'Run' });

/** Completions of which the server knows that they are over: it hears of a stop later than the page shows it. */
export const completionsOver = ({ requests }: TestServer) =>
  requests.filter(({ route }) => route === '/v1/completions').length;

export async function isReady(page: Page): Promise<void> {
  await page.locator('#run:enabled').waitFor();
}

export async function setSeed(page: Page, seed: number): Promise<void> {
  await page.getByLabel('Seed', { exact: true }).fill(String(seed));
}

/** Waits for the words; the test's timeout is the limit. */
export async function sees(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}
