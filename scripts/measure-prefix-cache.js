/**
 * What the prefix cache saves and costs, over HTTP: two servers of one model in one run, with the cache and without,
 * asked in turn. Prints Markdown.
 *
 *   npm run build && node scripts/measure-prefix-cache.js --model <package> --prefix-tokens 1000
 *
 * Each repetition has its own prefix of random tokens. *Cold* is the first prompt with it at each alignment, which also
 * stores it; *warm* are the prompts after that, whose endings have all lengths modulo K. The figure is the time from
 * sending to the first event with text or tokens; both servers are idle but for these requests.
 */
import { parseArgs } from 'node:util';
import { startServer } from './start-server.js';
import { median } from './statistics.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    'prefix-tokens': { type: 'string', default: '1000' },
    requests: { type: 'string', default: '16' },
    repetitions: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
  },
});
const requests = Number(options.requests);
const repetitions = Number(options.repetitions);

function serve(prefixCacheMemory) {
  const where = ['--model', options.model, '--threads', options.threads];
  return startServer([...where, '--prefix-cache-memory', prefixCacheMemory, '--disable-access-log-for', '*']);
}

/** Milliseconds to the first event that carries tokens, and what its request found in the cache. */
async function firstToken({ url }, prompt, seed) {
  const started = performance.now();
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      prompt,
      seed,
      max_tokens: 8,
      temperature: 1,
      ignore_eos: true,
      stream: true,
      return_token_ids: true,
      stream_options: { include_usage: true },
    }),
  });
  if (!response.ok) throw new Error(await response.text());
  let text = '';
  let firstMs = null;
  for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
    text += bytes;
    if (firstMs === null && /"token_ids":\[\d/.test(text)) firstMs = performance.now() - started;
  }
  const ids = [...text.matchAll(/"token_ids":\[([\d,]*)\]/g)].map(match => match[1]).join();
  const cached = Number(/"cached_tokens":(\d+)\}\}/.exec(text)?.[1]);
  return { firstMs, ids, cached };
}

/** Random ids, the same in every run (a multiplicative congruential generator). */
function randomIds(count, vocabSize, seed) {
  let state = (seed + 1) * 48271;
  return Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return state % vocabSize;
  });
}

/** Asks both servers, in turn first; their texts must agree. */
async function askBoth(servers, prompt, seed, book) {
  const order = seed % 2 === 0 ? [0, 1] : [1, 0];
  const answers = [];
  for (const which of order) answers[which] = await firstToken(servers[which], prompt, seed);
  if (answers[0].ids !== answers[1].ids) throw new Error('the texts with and without the cache differ');
  book.push({ withMs: answers[0].firstMs, withoutMs: answers[1].firstMs, cached: answers[0].cached });
}

function row(name, book) {
  const ratios = book.map(({ withMs, withoutMs }) => withMs / withoutMs).sort((a, b) => a - b);
  const ms = key => median(book.map(entry => entry[key])).toFixed(1);
  const cached = median(book.map(entry => entry.cached)).toFixed(0);
  const range = `${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)}`;
  return `| ${name} | ${book.length} | ${cached} | ${ms('withMs')} | ${ms('withoutMs')} | **${median(ratios).toFixed(3)}** | ${range} |`;
}

const servers = await Promise.all([serve('1GiB'), serve('0')]);
try {
  const listed = await (await fetch(`${servers[0].url}/v1/models`)).json();
  const { id, meta } = listed.data[0];
  const chunkSize = meta.chunk_size;
  const idsOf = (count, seed) => randomIds(count, Math.min(meta.n_vocab, 4000), seed);
  const length = Number(options['prefix-tokens']);
  const cold = [];
  const warm = [];
  const together = [];
  // Kernels and compilers warm up.
  for (let i = 0; i < 3; i += 1) await askBoth(servers, idsOf(length, 900 + i), i, []);
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const prefix = idsOf(length, 1 + repetition);
    const prompt = ending => [...prefix, ...idsOf(ending, 5000 + 100 * repetition + ending)];
    for (let residue = 0; residue < chunkSize; residue += 1) {
      await askBoth(servers, prompt(requests + 1 + residue), residue, cold);
    }
    for (let ending = 1; ending <= requests; ending += 1)
      await askBoth(servers, prompt(ending), ending, warm);
    // The same requests, all at once.
    const all = [];
    for (const server of repetition % 2 === 0 ? servers : servers.toReversed()) {
      const answers = await Promise.all(
        Array.from({ length: requests }, (_, i) => firstToken(server, prompt(i + 1), i)),
      );
      all[servers.indexOf(server)] = answers;
    }
    for (let i = 0; i < requests; i += 1) {
      together.push({ withMs: all[0][i].firstMs, withoutMs: all[1][i].firstMs, cached: all[0][i].cached });
    }
  }
  const from = Math.min(...warm.map(({ cached }) => cached));
  console.log(`${id}, K = ${chunkSize}, prefix of ${length} tokens, ${repetitions} repetitions:\n`);
  console.log(
    '| prompts | requests | tokens from the cache | first token ms with | without | ratio | ratios from to |',
  );
  console.log('|---|---|---|---|---|---|---|');
  console.log(row('cold, one at a time', cold));
  console.log(row('warm, one at a time', warm));
  console.log(row(`warm, ${requests} at once`, together));
  console.log(`\nLeast tokens from the cache of a warm request: ${from}.`);
} finally {
  for (const server of servers) server.end();
}
