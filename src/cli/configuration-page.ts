/** Writes docs/configuration.md from the settings' schema. */
import { defaultOf, listSettings, type Setting } from './settings.js';

const introduction = `# Configuration

<!-- Written by \`npm run docs\` from src/cli/settings.ts. Change it there. -->

\`calm serve\` takes each setting from the first of these places that has it:

1. a flag, such as \`--max-num-seqs 64\`,
2. an environment variable, such as \`CALM_MAX_NUM_SEQS=64\`; an empty one counts as unset,
3. a file that \`--config\` or \`CALM_CONFIG\` names: JSON such as \`{"max-num-seqs": 64}\`, or YAML 1.2 such as
   \`max-num-seqs: 64\` where its name ends in .yaml or .yml,
4. the default.

A flag that may be repeated is an array in a file, and has commas between its values in the environment. Switches are
\`true\` or \`false\` there. Sizes are bytes, or carry a unit: \`500MB\`, \`2GiB\`. Relative paths start at the folder in
which the server is started. A setting that does not exist, or a value that cannot be used, ends the start with a
sentence and exit code 2. \`--no-ui\`, as in llama-server, is the same as \`--disable-playground\`.

The settings under "device and memory" hold for \`calm generate\` and \`calm bench\` too, as flags and variables;
\`--device\` and \`--ort-library\` for \`calm eval\` and \`calm verify\` (on the CPU by default), and \`--threads\` for
\`calm eval\`.
`;

/** The page. */
export function writeConfigurationPage(): string {
  const settings = listSettings();
  const groups = [...new Set(settings.map(({ group }) => group))];
  const sections = groups.map(name =>
    writeSection(
      name,
      settings.filter(({ group }) => group === name),
    ),
  );
  return [introduction, ...sections].join('\n');
}

function writeSection(group: string, settings: readonly Setting[]): string {
  const title = group.charAt(0).toUpperCase() + group.slice(1);
  const rows = settings.map(setting => {
    const { short, flag, value, variable, about } = setting;
    const cells = [
      `${short === undefined ? '' : `\`${short}\`, `}\`${value === null ? flag : `${flag} ${value}`}\``,
      `\`${variable}\``,
      defaultOf(setting),
      about,
    ];
    return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return `## ${title}\n\n| flag | environment | default | |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}
