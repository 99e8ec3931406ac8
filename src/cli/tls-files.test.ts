/** The files with which a server speaks HTTPS, and what is said of wrong ones. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CalmError } from '../errors.js';
import { readTlsFiles } from './tls-files.js';

const fixtures = join(import.meta.dirname, '../../tests/fixtures/tls');
const sslCertfile = join(fixtures, 'certificate.pem');
const sslKeyfile = join(fixtures, 'key.pem');
const folder = mkdtempSync(join(tmpdir(), 'calm-tls-'));

function write(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

function newKey(passphrase?: string): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const lock = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return privateKey.export({ type: 'pkcs8', format: 'pem', ...lock }).toString();
}

const certificate = readFileSync(sslCertfile, 'utf8');
const missing = join(folder, 'none.pem');
const text = write('text.pem', 'no PEM at all\n');
const broken = write('broken.pem', certificate.replace(/\n.{10}/, '\nAAAAAAAAAA'));
const brokenChain = write('chain.pem', `${certificate}${certificate.replace(/\n.{10}/, '\nAAAAAAAAAA')}`);

describe('the files of a certificate and its key', () => {
  it('are read where both are named, and need not be', () => {
    expect(readTlsFiles({ sslCertfile, sslKeyfile })).toEqual({
      cert: certificate,
      key: readFileSync(sslKeyfile, 'utf8'),
    });
    expect(readTlsFiles({})).toBeUndefined();
  });

  it.each([
    [
      'a certificate alone',
      { sslCertfile },
      /Given: only --ssl-certfile; give --ssl-keyfile too, or neither\.$/,
    ],
    ['a key alone', { sslKeyfile }, /Given: only --ssl-keyfile; give --ssl-certfile too, or neither\.$/],
    [
      'no such certificate',
      { sslCertfile: missing, sslKeyfile },
      /^The file of --ssl-certfile cannot be read: ENOENT.+none\.pem'\.$/,
    ],
    [
      'no such key',
      { sslCertfile, sslKeyfile: missing },
      /^The file of --ssl-keyfile cannot be read: ENOENT.+none\.pem'\.$/,
    ],
    ['a folder', { sslCertfile: folder, sslKeyfile }, /^The file of --ssl-certfile cannot be read: EISDIR/],
    [
      'text for a certificate',
      { sslCertfile: text, sslKeyfile },
      /^The file .+text\.pem of --ssl-certfile holds no certificate in PEM form\. Give one/,
    ],
    [
      'a broken certificate',
      { sslCertfile: broken, sslKeyfile },
      /broken\.pem of --ssl-certfile holds no certificate/,
    ],
    [
      'a broken certificate behind the first',
      { sslCertfile: brokenChain, sslKeyfile },
      /^The certificate in .+chain\.pem of --ssl-certfile cannot be used: .+\.$/,
    ],
    [
      'the key for the certificate',
      { sslCertfile: sslKeyfile, sslKeyfile },
      /key\.pem of --ssl-certfile holds no certificate/,
    ],
    [
      'text for a key',
      { sslCertfile, sslKeyfile: text },
      /^The file .+text\.pem of --ssl-keyfile holds no private key in PEM form\. Give one/,
    ],
    [
      'the certificate for the key',
      { sslCertfile, sslKeyfile: sslCertfile },
      /certificate\.pem of --ssl-keyfile holds no private key/,
    ],
    [
      'a key with a passphrase',
      { sslCertfile, sslKeyfile: write('locked.pem', newKey('secret')) },
      /^The key in .+locked\.pem of --ssl-keyfile has a passphrase, .+ Give one without/,
    ],
    [
      'the key of another certificate',
      { sslCertfile, sslKeyfile: write('other.pem', newKey()) },
      /^The key in .+other\.pem of --ssl-keyfile is not the one of the certificate in .+certificate\.pem/,
    ],
  ])('are refused in one sentence: %s', (_, files, sentence) => {
    const read = () => readTlsFiles(files);
    expect(read).toThrow(sentence);
    expect(read).toThrow(expect.objectContaining({ code: 'bad_usage' }));
    expect(read).toThrow(CalmError);
  });
});
