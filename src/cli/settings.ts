/**
 * Every setting of `calm serve`: the one source of its flags, environment variables, keys in a configuration file,
 * checks, help and docs/configuration.md.
 */
import { z } from 'zod';
import { DEFAULT_EXACT_DRAW_LIMIT } from '../sampler/start-decision.js';
import { type SettingAbout, seconds, setting, settingAbouts, toggle } from './setting-about.js';
import {
  commaNamesSetting,
  namesSetting,
  sizeOrNothingSetting,
  sizeSetting,
  wholeNumberOrNothingSetting,
  wholeNumberSentence,
  wholeNumberSetting,
} from './setting-values.js';

/** Where a model runs and how much of the machine it takes: settings of every command that runs one. */
export const modelSettingsSchema = z.object({
  device: setting(z.enum(['auto', 'cpu', 'cuda']).default('auto'), {
    group: 'device and memory',
    value: '<device>',
    about: 'where the model runs; auto takes CUDA where it is usable, else the CPU',
    mustBe: 'auto, cpu or cuda',
  }),
  ortLibrary: setting(z.string().min(1).optional(), {
    group: 'device and memory',
    value: '<file>',
    about: 'another ONNX Runtime library (libonnxruntime.so), such as a CUDA build',
    mustBe: 'the path of a file',
    defaultText: 'the one that comes with calm-serve',
  }),
  threads: setting(wholeNumberSetting(1, 1024).optional(), {
    group: 'device and memory',
    value: '<count>',
    about: 'threads of the native library',
    mustBe: wholeNumberSentence(1, 1024),
    defaultText: 'one for each core',
  }),
  maxNumSeqs: setting(wholeNumberSetting(1, 4096).optional(), {
    group: 'device and memory',
    value: '<count>',
    about: 'texts generated at the same time: slots of the cache',
    mustBe: wholeNumberSentence(1, 4096),
    defaultText: '32, or fewer by --kv-cache-memory',
  }),
  maxModelLen: setting(wholeNumberSetting(1).optional(), {
    group: 'device and memory',
    value: '<tokens>',
    about: 'tokens of prompt and completion together',
    mustBe: wholeNumberSentence(1),
    defaultText: "the model's context",
  }),
  kvCacheMemory: setting(sizeSetting().optional(), {
    group: 'device and memory',
    value: '<size>',
    about: 'memory that the cache may take, such as 2GiB; with less, fewer slots',
    mustBe: 'a size such as 1073741824, 500MB or 2GiB',
    defaultText: 'any',
  }),
});

/** All settings of `calm serve`. */
export const serveSettingsSchema = z.object({
  model: setting(namesSetting().optional(), {
    group: 'models',
    value: '<package>',
    short: '-m',
    about:
      'folder of a model package, or name of one that comes with calm-serve; may be repeated, and the first answers ' +
      'requests that name no model',
    mustBe: 'the path or the name of a model package, or an array of them',
    defaultText: 'what models/default.json names',
    isList: true,
  }),
  servedModelName: setting(namesSetting().optional(), {
    group: 'models',
    value: '<name>',
    about: 'name that clients use for the model; given as often as --model, in the same order',
    mustBe: 'a name, or an array of names',
    defaultText: "the packages' own names",
    isList: true,
  }),
  modelAlias: setting(namesSetting().optional(), {
    group: 'models',
    value: '<alias=name>',
    about: 'a further name for a served model; may be repeated',
    mustBe: 'alias=name, or an array of such',
    defaultText: 'none',
    isList: true,
  }),
  anyModel: toggle('models', 'answer requests for unknown models with the first one, instead of 404'),
  chatTemplate: setting(z.string().min(1).optional(), {
    group: 'models',
    value: '<file>',
    about: "Jinja chat template that replaces the models' own",
    mustBe: 'the path of a file',
    defaultText: "the tokenizer's own, else the plain one",
  }),
  ...modelSettingsSchema.shape,
  host: setting(z.string().min(1).default('127.0.0.1'), {
    group: 'network',
    value: '<address>',
    about: 'address to listen on; 0.0.0.0 for every network',
    mustBe: 'an address',
  }),
  port: setting(wholeNumberSetting(0, 65_535).default(8000), {
    group: 'network',
    value: '<port>',
    about: 'port to listen on; 0 takes any free one',
    mustBe: wholeNumberSentence(0, 65_535),
  }),
  sslKeyfile: setting(z.string().min(1).optional(), {
    group: 'network',
    value: '<file>',
    about: "private key of --ssl-certfile's certificate, in PEM form and without a passphrase",
    mustBe: 'the path of a file',
    defaultText: 'none',
  }),
  sslCertfile: setting(z.string().min(1).optional(), {
    group: 'network',
    value: '<file>',
    about:
      "certificate in PEM form, its issuers' after it; with it and --ssl-keyfile the server speaks HTTPS, and HTTP no more",
    mustBe: 'the path of a file',
    defaultText: 'none: HTTP',
  }),
  keepAliveTimeout: seconds(
    'network',
    75,
    'time that an idle connection is kept; longer than the proxy in front keeps its own',
  ),
  headersTimeout: seconds('network', 20, 'time that a client may take to send the headers of a request'),
  receiveTimeout: seconds('network', 120, 'time that a client may take to send a whole request'),
  stalledReaderTimeout: seconds(
    'network',
    60,
    'time after which a client is cut off that takes nothing of its answer; up to twice that',
  ),
  sseKeepAliveInterval: setting(wholeNumberOrNothingSetting(15, 86_400).default(0), {
    group: 'network',
    value: '<seconds>',
    about:
      'time without an event after which an open stream gets a comment, for proxies that cut off what is silent; 0 for ' +
      'never, because some clients lose the events behind a comment',
    mustBe: `0 or ${wholeNumberSentence(15, 86_400)}`,
  }),
  shutdownTimeout: setting(wholeNumberSetting(0, 86_400).default(30), {
    group: 'network',
    value: '<seconds>',
    about:
      'time that running requests get to finish after SIGINT or SIGTERM; a second signal ends them at once',
    mustBe: wholeNumberSentence(0, 86_400),
  }),
  apiKey: setting(namesSetting().optional(), {
    group: 'access',
    value: '<key>',
    about:
      'key that requests must carry, as Authorization: Bearer or X-Api-Key; may be repeated. Other users of the ' +
      'machine see flags: prefer the environment or --api-key-file',
    mustBe: 'a key, or an array of keys',
    defaultText: 'none: everyone may call',
    isList: true,
  }),
  apiKeyFile: setting(z.string().min(1).optional(), {
    group: 'access',
    value: '<file>',
    about: 'file with further keys, one a line; empty lines and lines that begin with # do not count',
    mustBe: 'the path of a file',
    defaultText: 'none',
  }),
  allowedOrigins: setting(commaNamesSetting().default(['*']), {
    group: 'access',
    value: '<origins>',
    about: 'origins of web pages that may call, with commas between them; * for all, none for none',
    mustBe: 'origins such as https://chat.example.org, or *',
    isList: true,
  }),
  disablePlayground: toggle('access', 'serve no playground at /'),
  maxWaiting: setting(wholeNumberSetting(0).default(512), {
    group: 'requests',
    value: '<count>',
    about: 'texts that may wait for a slot of each model; more are refused with 429',
    mustBe: wholeNumberSentence(0),
  }),
  prefixCacheMemory: setting(sizeOrNothingSetting().default(256 * 2 ** 20), {
    group: 'requests',
    value: '<size>',
    about:
      'memory in which each model keeps beginnings of prompts, so that the next prompt that begins alike need not ' +
      'compute them; taken as it fills, 0 for none',
    mustBe: 'a size such as 1073741824, 500MB or 2GiB, or 0',
    defaultText: '256MiB',
  }),
  drawsPerStep: setting(wholeNumberSetting(1, 65_536).optional(), {
    group: 'requests',
    value: '<count>',
    about:
      'candidates that one step of a CALM draws for all texts together before those that are done go on; fewer make ' +
      'steps even, more make them rare',
    mustBe: wholeNumberSentence(1, 65_536),
    defaultText: 'as many as take eight times as long as a decode',
  }),
  exactDrawLimit: setting(wholeNumberSetting(1, 2 ** 24).default(DEFAULT_EXACT_DRAW_LIMIT), {
    group: 'requests',
    value: '<count>',
    about: 'candidates for one chunk after which `sampler` "exact" ends its request with `sampler_limit`',
    mustBe: wholeNumberSentence(1, 2 ** 24),
  }),
  maxBodySize: setting(sizeSetting().default(4 * 2 ** 20), {
    group: 'requests',
    value: '<size>',
    about: 'largest body of a request; larger ones are refused with 413',
    mustBe: 'a size such as 1073741824, 500MB or 2GiB',
    defaultText: '4MiB',
  }),
  requestTimeout: setting(wholeNumberSetting(0, 86_400).default(0), {
    group: 'requests',
    value: '<seconds>',
    about: 'time that a request may take in all, waiting included; 0 for any',
    mustBe: wholeNumberSentence(0, 86_400),
  }),
  maxUnreadChunks: setting(wholeNumberSetting(256).default(4096), {
    group: 'requests',
    value: '<count>',
    about: 'generated chunks that may wait for the reader of one request; with more, it is given up',
    mustBe: wholeNumberSentence(256),
  }),
  streamGranularity: setting(z.enum(['chunk', 'token']).default('chunk'), {
    group: 'requests',
    value: '<unit>',
    about: 'what one event of a stream holds where the request does not say: a chunk, or one token of it',
    mustBe: 'chunk or token',
  }),
  strictParams: toggle(
    'requests',
    'refuse fields that a model cannot honour with 400, instead of ignoring them',
  ),
  logFormat: setting(z.enum(['auto', 'json', 'text']).default('auto'), {
    group: 'log',
    value: '<format>',
    about: 'lines on standard error: json or text; auto is text on a terminal and json elsewhere',
    mustBe: 'auto, json or text',
  }),
  disableAccessLogFor: setting(commaNamesSetting().default([]), {
    group: 'log',
    value: '<paths>',
    about:
      'paths whose requests are not logged, with commas between them, such as /health,/metrics; * for all',
    mustBe: 'paths such as /health',
    defaultText: 'none',
    isList: true,
  }),
});

/** Checked values of all settings. */
export type ServeSettings = z.infer<typeof serveSettingsSchema>;

export type SettingName = keyof ServeSettings;

/** A setting with its names: maxNumSeqs is --max-num-seqs, CALM_MAX_NUM_SEQS, and max-num-seqs in a file. */
export interface Setting extends SettingAbout {
  readonly name: SettingName;
  readonly key: string;
  readonly flag: string;
  readonly variable: string;
  readonly schema: z.ZodType;
}

/** All settings, in order. */
export function listSettings(): readonly Setting[] {
  return (Object.keys(serveSettingsSchema.shape) as SettingName[]).map(describeSetting);
}

/** One setting. */
export function describeSetting(name: SettingName): Setting {
  const schema: z.ZodType = serveSettingsSchema.shape[name];
  const about = settingAbouts.get(schema);
  if (!about) throw new Error(`the setting ${name} has no description`);
  const key = name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
  const variable = `CALM_${key.replaceAll('-', '_').toUpperCase()}`;
  return { ...about, name, key, flag: `--${key}`, variable, schema };
}

/** The default as a user would write it, or in words. */
export function defaultOf({ schema, defaultText }: Setting): string {
  if (defaultText !== undefined) return defaultText;
  const value = schema.parse(undefined);
  return Array.isArray(value) ? value.join(',') : String(value);
}
