/**
 * Prints unedited stories of a model at its default settings, as Markdown for its card, and how many reach their end.
 *
 *   npm run build && node scripts/story-samples.js <model package> [stories printed, 20] [stories counted, 100]
 *
 * Every story starts from an empty prompt; story i has seed i, so the same package prints the same stories.
 */
import { startServer } from './start-server.js';

const maxTokens = 400;
const [model, printed = '20', counted = '100'] = process.argv.slice(2);
if (!model) throw new Error('Which model package? node scripts/story-samples.js models/stories-k2');

async function writeStory(address, seed) {
  const body = JSON.stringify({ prompt: '', max_tokens: maxTokens, seed });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${address}/v1/completions`, { method: 'POST', headers, body });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

const quote = text => `> ${text.trim().replaceAll('\n', '\n> ')}`;

const { url, end } = await startServer(['--model', model, '--disable-access-log-for', '*']);
try {
  const count = Math.max(Number(printed), Number(counted));
  const answers = await Promise.all(Array.from({ length: count }, (_, i) => writeStory(url, i + 1)));
  const ended = answers.filter(answer => answer.choices[0].finish_reason === 'stop').length;
  const tokens = answers.map(answer => answer.usage.completion_tokens).sort((a, b) => a - b);
  console.log('## Unedited samples\n');
  console.log(
    `From an empty prompt, at the package's default settings, seeds 1 to ${printed}. Of ${count} such stories ${ended} ` +
      `reach their end within ${maxTokens} tokens; the median length is ${tokens[Math.floor(count / 2)]} tokens.\n`,
  );
  const stories = answers.slice(0, Number(printed)).map(answer => quote(answer.choices[0].text));
  console.log(stories.join('\n\n---\n\n'));
} finally {
  end();
}
