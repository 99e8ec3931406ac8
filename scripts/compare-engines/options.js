/** The options of compare-engines.js. */
import { parseArgs } from 'node:util';

const options = {
  model: { type: 'string' },
  baseline: { type: 'string' },
  'llama-batched-bench': { type: 'string' },
  gguf: { type: 'string' },
  'llama-version': { type: 'string' },
  'llama-arguments': { type: 'string', default: '' },
  'c-reader': { type: 'string' },
  context: { type: 'string', default: '128,512' },
  batch: { type: 'string', default: '1,8,32' },
  'baseline-only': { type: 'string', default: '512:4' },
  rounds: { type: 'string', default: '5' },
  steps: { type: 'string', default: '24' },
  threads: { type: 'string', default: '2' },
  json: { type: 'string' },
};

/** @throws Error with a sentence that names the option, what was given, and what it takes */
export function readOptions(args) {
  const { values } = parseArgs({ args, options });
  for (const name of ['model', 'baseline']) {
    if (values[name] === undefined) throw new Error(`--${name} is missing; give the folder of a package.`);
  }
  if ((values['llama-batched-bench'] === undefined) !== (values.gguf === undefined)) {
    throw new Error('--llama-batched-bench and --gguf belong together; give both or neither.');
  }
  const numbers = name => values[name].split(',').map(text => wholeNumber(name, text));
  return {
    calmModel: values.model,
    tokenModel: values.baseline,
    llamaBatchedBench: values['llama-batched-bench'],
    gguf: values.gguf,
    llamaVersion: values['llama-version'],
    llamaArguments: values['llama-arguments'].split(' ').filter(word => word !== ''),
    cReader: values['c-reader'],
    contexts: numbers('context'),
    batches: numbers('batch'),
    baselineOnly: values['baseline-only']
      .split(',')
      .filter(text => text !== '')
      .map(pairOf),
    rounds: wholeNumber('rounds', values.rounds),
    steps: wholeNumber('steps', values.steps),
    threads: wholeNumber('threads', values.threads),
    json: values.json,
  };
}

function pairOf(text) {
  const [context, batch, ...rest] = text.split(':');
  if (batch === undefined || rest.length > 0) {
    throw new Error(`--baseline-only takes pairs such as 512:4, a context and a batch. Given: ${text}.`);
  }
  return { context: wholeNumber('baseline-only', context), batch: wholeNumber('baseline-only', batch) };
}

function wholeNumber(name, text) {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new Error(`--${name} takes whole numbers from 1 to 9999999. Given: ${text}.`);
}
