/** The playground: a page that runs prompts against this server, and the files that it is made of. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file as the browser gets it. */
export interface PlaygroundFile {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

const folder = fileURLToPath(new URL('page/', import.meta.url));
const pageName = 'page.html';
/** Other files of the folder are not for browsers. */
const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * Own files only, and nothing inline: text of a model could not run as a script even if the page took it for HTML, and
 * with trusted types the browser refuses to take any string for HTML.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** Paths of the page and its files. They are the same for everyone, so they need no API key. */
export const playgroundPaths: readonly string[] = readdirSync(folder)
  .filter(name => extname(name) in contentTypes)
  .map(pathOf);

/** Reads the page's files, by their paths. */
export function readPlayground(): ReadonlyMap<string, PlaygroundFile> {
  const files = readdirSync(folder).filter(name => extname(name) in contentTypes);
  return new Map(
    files.map(name => [
      pathOf(name),
      {
        body: new Uint8Array(readFileSync(`${folder}${name}`)),
        headers: {
          'content-type': contentTypes[extname(name)] ?? '',
          'content-security-policy': contentSecurityPolicy,
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          // A newer server must not meet an older page in the browser's cache.
          'cache-control': 'no-cache',
        },
      },
    ]),
  );
}

function pathOf(name: string): string {
  return name === pageName ? '/' : `/playground/${name}`;
}
