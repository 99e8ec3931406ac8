/** The command line of the load generator. */
import { Command } from 'commander';
import { storyOpeningsFile } from './load/prompts.js';
import { collect, latencyBound, listOf, numberBetween, wholeNumber } from './option-values.js';
import type { LatencyBound } from './settings.js';

/** Values of the options. */
export interface CommandOptions {
  readonly target: readonly string[];
  readonly apiKey: readonly string[];
  readonly serverPid: readonly string[];
  readonly model: readonly string[];
  readonly concurrency?: readonly number[];
  readonly rate?: readonly number[];
  readonly requests?: number;
  readonly repetitions?: number;
  readonly timeLimit?: number;
  readonly full?: true;
  readonly warmup?: number;
  readonly prompts: string;
  readonly inputTokens?: number;
  readonly outputTokens: number;
  readonly temperature?: readonly number[];
  readonly seed: number;
  readonly ignoreEos: boolean;
  readonly allowLoops?: true;
  readonly goodput?: LatencyBound;
  readonly timeout: number;
  readonly rawRequests: number;
  readonly rawConnections: number;
  readonly rawTokens: number;
  readonly baseline?: string;
  readonly brierlm: readonly string[];
  readonly flops: readonly string[];
  readonly out?: string;
  readonly json?: true;
}

const examples = `
Examples:
  npm run loadtest                                the default CALM beside its token baseline, on a server of its own
  npm run loadtest -- --model ./models/calm-m --model ./models/transformer-s --prompts random --input-tokens 512
  npm run loadtest -- --concurrency 1,8,32 \\
    --target calm=http://127.0.0.1:8000#calm-m --target llama=http://127.0.0.1:8080#transformer-s
  npm run loadtest -- --full                      the same with more repetitions and T = 0.5, however long it takes
  npm run loadtest -- --rate 2,4,8 --goodput ttft:500,tpot:50
  npm run loadtest -- --concurrency 32 -- --threads 2 --max-num-seqs 32       options after -- go to its own server

The exit code is 0 where every target answered everything rightly, 1 where one did not, 2 for a wrong call.
docs/loadtest.md says what is measured and how.`;

/** The program; `action` gets the options and what stood after `--`. */
export function createCommand(
  action: (options: CommandOptions, serveOptions: readonly string[]) => Promise<void>,
): Command {
  return new Command('loadtest')
    .description('Measure OpenAI-compatible completion servers side by side, over HTTP.')
    .argument(
      '[serve-options...]',
      'after --: options of calm serve, for a server that the run starts itself',
    )
    .option(
      '--target <name=url#model>',
      'server to measure; may be repeated (default: a server of its own)',
      collect,
      [],
    )
    .option('--api-key <key>', 'key for all targets, or name=key for one (or LOADTEST_API_KEY)', collect, [])
    .option(
      '--server-pid <pid>',
      'process whose CPU time to report: pid, or name=pid for one target',
      collect,
      [],
    )
    .option('--model <package>', 'package that its own server serves; may be repeated', collect, [])
    .option(
      '--concurrency <counts>',
      'closed loop: requests at a time (default: 1,2,4,8,16,32)',
      listOf(wholeNumber(1)),
    )
    .option('--rate <numbers>', 'open loop: Poisson arrivals a second', listOf(numberBetween(0, 1e6, true)))
    .option(
      '--requests <count>',
      'requests of a repetition, at least one a client (default: 4 a client, or 10 s of arrivals)',
      wholeNumber(1),
    )
    .option('--repetitions <count>', 'how often each load is measured, at most (default: 3)', wholeNumber(1))
    .option(
      '--time-limit <minutes>',
      'begin no further repetition that would end later; 0 for any time (default: 5)',
      numberBetween(0, 10_000),
    )
    .option(
      '--full',
      'five repetitions at T = 1 and 0.5, however long they take, where options do not say otherwise',
    )
    .option(
      '--warmup <count>',
      'requests before the clock starts (default: as many as run at a time)',
      wholeNumber(0),
    )
    .option('--prompts <file>', 'paragraphs, or .jsonl; or "random" for random token ids', storyOpeningsFile)
    .option('--input-tokens <count>', 'length of the prompts (default: as they are)', wholeNumber(1))
    .option('--output-tokens <count>', 'length of the answers', wholeNumber(1), 128)
    .option('--temperature <numbers>', 'temperatures (default: 1)', listOf(numberBetween(0, 2)))
    .option('--seed <number>', 'seed of prompts, requests and arrivals', wholeNumber(0), 1)
    .option('--no-ignore-eos', 'let answers end early, for servers without ignore_eos')
    .option('--allow-loops', 'do not count answers that end in a repetition loop as failed')
    .option('--goodput <bounds>', 'count requests within ttft:ms,tpot:ms,e2e:ms', latencyBound)
    .option('--timeout <seconds>', 'time limit of one request', numberBetween(0, 86_400, true), 120)
    .option(
      '--raw-requests <count>',
      'short requests that are not streamed, by autocannon; 0 for none',
      wholeNumber(0),
      100,
    )
    .option('--raw-connections <count>', 'connections of those', wholeNumber(1), 8)
    .option('--raw-tokens <count>', 'length of their answers', wholeNumber(1), 8)
    .option('--baseline <name>', 'target to compare with (default: the token model, else the last one)')
    .option('--brierlm <name=value>', 'quality of a target, with :error if known', collect, [])
    .option(
      '--flops <name=parts>',
      'FLOPs per token of a target: 4.4e8, or backbone:2e8,head:3e7',
      collect,
      [],
    )
    .option(
      '--out <folder>',
      'where report.html, .md, .csv and .json go (default: loadtest-report, none with --json)',
    )
    .option('--json', 'print one JSON object instead of Markdown')
    .addHelpText('after', examples)
    .helpOption('--help', 'show this help')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'loadtest: ')) })
    .exitOverride()
    .action((serveOptions: string[], options: CommandOptions) => action(options, serveOptions));
}
