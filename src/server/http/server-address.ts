/** Where a server is reached. */

/** Base URL without a slash at the end. Who listens on every address is reached under the loopback one. */
export function addressOf({
  host,
  port,
  isTls,
}: {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}): string {
  return `${isTls ? 'https' : 'http'}://${hostInUrl(host)}:${port}`;
}

function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
