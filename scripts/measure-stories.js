/**
 * How likely, varied and dear a model's stories are: stories from an empty prompt, scored by a token model.
 *
 *   npm run build && node scripts/measure-stories.js <judge, a token model> <stories> <model package>@<T> [...]
 *   node scripts/measure-stories.js stories-baseline 100 stories-k2-distilled@0.5 stories-k2@0.5 stories-baseline@0.7
 *
 * Story i has seed i. Prints nats a token under the judge, the share of different word 4-grams within a story (own) and
 * in all of them (pooled), stories that hold "red ball", those that end within 400 tokens, and draws a chunk.
 */
import { startServer } from './start-server.js';

const [judge, stories, ...cases] = process.argv.slice(2);
if (!cases.length)
  throw new Error('Say what to measure: stories-baseline 100 stories-k2-distilled@0.5 stories-baseline@0.7');
const measured = cases.map(text => ({ model: text.split('@')[0], temperature: Number(text.split('@')[1]) }));
const packages = [...new Set([judge, ...measured.map(({ model }) => model)])];

async function complete(address, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${address}/v1/completions`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

async function surprise(address, text) {
  const echoed = await complete(address, {
    model: judge,
    prompt: text,
    max_tokens: 1,
    echo: true,
    logprobs: 1,
  });
  // The last token is the judge's own.
  return echoed.choices[0].logprobs.token_logprobs.slice(0, -1).filter(value => value !== null);
}

function fourGrams(text) {
  const words = text.toLowerCase().split(/\s+/);
  return Array.from({ length: Math.max(0, words.length - 3) }, (_, i) => words.slice(i, i + 4).join(' '));
}

const sum = values => values.reduce((total, value) => total + value, 0);

const { url, end } = await startServer([
  ...packages.flatMap(name => ['--model', name]),
  '--disable-access-log-for',
  '*',
]);
try {
  console.log('| model | T | nats a token | own | pooled | red ball | ended | draws a chunk |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const { model, temperature } of measured) {
    const answers = await Promise.all(
      Array.from({ length: Number(stories) }, (_, i) =>
        complete(url, { model, temperature, prompt: '', max_tokens: 400, seed: i + 1 }),
      ),
    );
    const texts = answers.map(answer => answer.choices[0].text);
    const scores = (await Promise.all(texts.map(text => surprise(url, text)))).flat();
    const grams = texts.map(fourGrams);
    const all = grams.flat();
    const own = sum(grams.map(list => new Set(list).size)) / all.length;
    const draws = sum(answers.map(answer => answer.timings.draws ?? 0));
    const chunks = sum(answers.map(answer => answer.timings.chunks ?? 0));
    const ended = answers.filter(answer => answer.choices[0].finish_reason === 'stop').length;
    const figures = [-sum(scores) / scores.length, own, new Set(all).size / all.length].map(x =>
      x.toFixed(2),
    );
    const ball = texts.filter(text => text.includes('red ball')).length;
    console.log(
      `| ${[model, temperature, ...figures, ball, ended, chunks ? (draws / chunks).toFixed(0) : '-'].join(' | ')} |`,
    );
  }
} finally {
  end();
}
