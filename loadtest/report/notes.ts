/** How the figures were taken: the sentences under every report. */
import type { Report } from './report.js';

export function methodNotes({ settings, machine }: Report): string[] {
  const { repetitions, inputTokens, outputTokens, ignoreEos } = settings;
  const length = ignoreEos ? `exactly ${outputTokens}` : `at most ${outputTokens}`;
  const prompts =
    settings.prompts === 'random'
      ? 'Prompts are random token ids'
      : `Prompts come from ${settings.prompts.split(/[\\/]/).at(-1)}`;
  return [
    `${prompts}${inputTokens === null ? '' : `, about ${inputTokens} tokens each`}; answers have ${length} tokens. ` +
      'Request number i has the same seed for every target and in every repetition.',
    `Targets take turns under each load, and who begins changes. ${repetitions} repetition(s): tables show the median ` +
      'and, in brackets, the least and the most; latency percentiles are over the requests of all repetitions.',
    "Tokens are counted by the server's usage, never by events. Time per token is (end - first chunk) / (tokens - " +
      'tokens of the first chunk), so that chunks of several tokens are not flattered.',
    'Times of a closed loop count from sending; those of an open loop from the intended start of a Poisson process.',
    'Every request names its temperature, and top_p 1, top_k 0 (or -1) and min_p 0 where the server takes them: nothing ' +
      'is cut off the law that is drawn from.',
    'Every answer was checked, streamed or not: token count, finish_reason, hidden errors, repetition loops. Only right answers count ' +
      'towards tokens/s.',
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB; ${machine.system}; Node ${machine.node}; ` +
      `calm-serve ${machine.version}. Client and local servers share these cores.`,
  ];
}
