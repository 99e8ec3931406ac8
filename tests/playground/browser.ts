/** A real Chromium with the playground in it; it notes whatever a user would find in the browser's console. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const programNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** A busy machine needs tens of seconds for what takes a second on its own. */
export const pageTimeoutMs = 120_000;

/** The system's Chromium, or the one that CHROMIUM names; null where there is none. */
export function findChromium(): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = folders.flatMap(folder => programNames.map(name => join(folder, name)));
  const named = process.env.CHROMIUM;
  return (named ? [named] : paths).find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @throws Error where there is no Chromium */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === null) throw new Error('There is no Chromium on this system.');
  return chromium.launch({ executablePath, args: ['--disable-gpu', '--disable-dev-shm-usage'] });
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors and warnings of the console, uncaught errors, dialogs, and what the content security policy refused. */
  readonly complaints: string[];
  /** Bodies of the completions that the page asked for. */
  readonly asked: Record<string, unknown>[];
}

/** Opens a page in a fresh profile. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(pageTimeoutMs);
  const complaints: string[] = [];
  const asked: Record<string, unknown>[] = [];
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('dialog', dialog => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', request => {
    if (request.url().endsWith('/completions')) asked.push(request.postDataJSON());
  });
  await page.goto(url);
  return { page, complaints, asked, [Symbol.asyncDispose]: () => context.close() };
}
