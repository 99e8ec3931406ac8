/** The playground with the model that `calm serve` serves by default: what it tells of a chunk is what the API says. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultModels, modelsFolder } from '../../src/cli/default-models.js';
import { openModels } from '../../src/cli/open-models.js';
import { resolvePackage } from '../../src/runtime/open-package.js';
import { startServer } from '../server/start-server.js';
import { findChromium, launchChromium, openPage, pageTimeoutMs } from './browser.js';

interface Answer {
  readonly choices: readonly {
    readonly text: string;
    readonly token_ids: readonly number[];
    readonly chunk_statistics: readonly {
      readonly draws: number;
      readonly tokens: readonly { readonly count: number; readonly of: number }[];
    }[];
  }[];
  readonly timings: { readonly draws: number; readonly chunks: number };
}

describe.skipIf(findChromium() === null)(
  'the playground with the shipped model',
  { timeout: pageTimeoutMs },
  () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchChromium();
    });
    afterAll(async () => browser?.close());

    it('shows each chunk with its draws and its empirical probability', async () => {
      const directory = resolvePackage(defaultModels()[0]!, modelsFolder);
      await using opened = openModels([{ model: directory }], { device: 'cpu', threads: 1, maxNumSeqs: 2 });
      await using server = await startServer(opened.models);
      const [model] = opened.models;
      const ask = { model: model.id, prompt: 'Once upon a time', seed: 7, max_tokens: 16 };
      const extras = { temperature: model.defaults.temperature ?? 1, num_candidates: 50 };
      const response = await fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...ask, ...extras, chunk_statistics: true, return_token_ids: true }),
      });
      const answer = (await response.json()) as Answer;
      const [choice] = answer.choices;

      await using view = await openPage(browser, server.url);
      const { page } = view;
      await page.locator('#run:enabled').waitFor();
      expect(Number(await page.getByLabel('Temperature 0', { exact: false }).inputValue())).toBe(
        extras.temperature,
      );
      await page.getByLabel('Seed', { exact: true }).fill(String(ask.seed));
      await page.getByLabel('Max tokens').fill(String(ask.max_tokens));
      await page.getByLabel('Max draws').fill(String(extras.num_candidates));
      await page.getByRole('button', { name: 'Run' }).click();
      await page.locator('.column[data-state="done"]').waitFor();
      const chunks = page.locator('.text .chunk');
      expect((await chunks.allTextContents()).join('')).toBe(choice?.text);
      expect(await chunks.count()).toBe(answer.timings.chunks);
      const meanDraws = (answer.timings.draws / answer.timings.chunks).toFixed(1);
      expect(await page.locator('[data-part="draws"]').textContent()).toBe(meanDraws);
      for (const [index, { draws, tokens }] of choice!.chunk_statistics.entries()) {
        await chunks.nth(index).hover();
        const told = page.locator('.inspector');
        const steps = `Step ${index + 1} of ${answer.timings.chunks} · ${draws} ${draws === 1 ? 'draw' : 'draws'}`;
        await told.filter({ hasText: steps }).waitFor();
        expect(await told.textContent()).toContain(
          `${tokens.at(-1)?.count} of ${tokens[0]?.of} fresh candidates`,
        );
        const rows = await told.locator('tbody tr td:last-child').allTextContents();
        expect(rows).toEqual(tokens.map(({ count, of }) => `${count} of ${of}`));
      }
      expect(view.complaints).toEqual([]);
    });
  },
);
