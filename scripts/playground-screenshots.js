/**
 * Takes the playground's pictures in docs/images/, light and dark: of a server that this script starts with the shipped
 * model, or with the models that it is given; with two, side by side as well.
 *
 *   npm run build && node scripts/playground-screenshots.js [model package ...]
 *
 * Needs a Chromium on the system, or its path in CHROMIUM. Speeds in the pictures are those of the machine at that
 * moment.
 */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startServer } from './start-server.js';

const maxBytes = 200_000;
const window = { width: 1200, height: 900 };
const images = fileURLToPath(new URL('../docs/images/', import.meta.url));

async function takePicture(browser, url, { name, colorScheme, isPair, index }) {
  const context = await browser.newContext({ viewport: window, colorScheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  await page.goto(url);
  await page.locator('#run:enabled').waitFor();
  if (isPair) {
    await page.getByLabel('Side by side').check();
    await page.getByLabel('The two run').selectOption('after');
    await page.getByLabel('Max tokens').fill('64');
  }
  await page.getByLabel('Seed', { exact: true }).fill('7');
  await page.getByRole('button', { name: 'Run' }).click();
  if (isPair) await page.locator('#comparison').waitFor();
  else await page.locator('.column[data-state="done"]').waitFor();
  await page.locator('.text .chunk').nth(index).hover();
  const path = `${images}${name}.png`;
  await page.screenshot({ path, fullPage: true });
  await context.close();
  const { size } = statSync(path);
  console.log(`${path}: ${size} bytes`);
  if (size > maxBytes) throw new Error(`${path} has more than ${maxBytes} bytes: take a smaller window.`);
}

const models = process.argv.slice(2);
const { url, end } = await startServer(models.flatMap(model => ['--model', model]));
const executablePath =
  process.env.CHROMIUM ??
  ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(path => statSync(path, { throwIfNoEntry: false }));
const browser = await chromium.launch({ executablePath, args: ['--disable-gpu'] });
try {
  for (const colorScheme of ['light', 'dark']) {
    await takePicture(browser, url, {
      name: `playground-${colorScheme}`,
      colorScheme,
      isPair: false,
      index: 14,
    });
  }
  if (models.length > 1) {
    await takePicture(browser, url, {
      name: 'playground-side-by-side',
      colorScheme: 'light',
      isPair: true,
      index: 14,
    });
  }
} finally {
  await browser.close();
  end();
}
