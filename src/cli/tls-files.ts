/** Reads the certificate and the private key with which a server speaks HTTPS. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { CalmError } from '../errors.js';
import type { TlsIdentity } from '../server/http/open-server.js';
import type { ServeSettings } from './settings.js';

/**
 * What the files of the settings hold, or nothing where they name none. Checked here, because OpenSSL's own words come
 * with the first connection or name no file.
 *
 * @throws CalmError bad_usage for one file without the other, a file that cannot be read or holds something else, and a
 * key that is not the certificate's
 */
export function readTlsFiles({
  sslKeyfile,
  sslCertfile,
}: Pick<ServeSettings, 'sslKeyfile' | 'sslCertfile'>): TlsIdentity | undefined {
  if (sslKeyfile === undefined && sslCertfile === undefined) return undefined;
  if (sslKeyfile === undefined) throw onlyOne('--ssl-certfile', '--ssl-keyfile');
  if (sslCertfile === undefined) throw onlyOne('--ssl-keyfile', '--ssl-certfile');
  const cert = readText(sslCertfile, '--ssl-certfile');
  const key = readText(sslKeyfile, '--ssl-keyfile');
  const certificate = parseCertificate(cert, sslCertfile);
  if (!certificate.checkPrivateKey(parseKey(key, sslKeyfile))) {
    throw new CalmError(
      'bad_usage',
      `The key in ${sslKeyfile} of --ssl-keyfile is not the one of the certificate in ${sslCertfile} of ` +
        '--ssl-certfile. Give the key that the certificate was made with; in its file the server ' +
        'comes first, and its issuers after it.',
    );
  }
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new CalmError(
      'bad_usage',
      `The certificate in ${sslCertfile} of --ssl-certfile cannot be used: ${reasonOf(cause)}.`,
      { cause },
    );
  }
  return { cert, key };
}

function onlyOne(given: string, missing: string): CalmError {
  return new CalmError(
    'bad_usage',
    `--ssl-keyfile and --ssl-certfile go together. Given: only ${given}; give ${missing} too, or neither.`,
  );
}

function readText(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CalmError('bad_usage', `The file of ${flag} cannot be read: ${reasonOf(cause)}.`, { cause });
  }
}

function parseCertificate(text: string, path: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new CalmError(
      'bad_usage',
      `The file ${path} of --ssl-certfile holds no certificate in PEM form. Give one with a line ` +
        '-----BEGIN CERTIFICATE-----.',
      { cause },
    );
  }
}

function parseKey(text: string, path: string) {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    const isLocked = /-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(text);
    throw new CalmError(
      'bad_usage',
      isLocked
        ? `The key in ${path} of --ssl-keyfile has a passphrase, which a server cannot be asked for. Give one without: ` +
            'openssl pkey writes it.'
        : `The file ${path} of --ssl-keyfile holds no private key in PEM form. Give one with a line ` +
            '-----BEGIN PRIVATE KEY-----.',
      { cause },
    );
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
