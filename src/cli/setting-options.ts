/** Settings as options of the command line. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { collect } from './option-values.js';
import { defaultOf, listSettings, type Setting } from './settings.js';

/** Adds every setting of `calm serve` as a flag. */
export function addServeOptions(command: Command): Command {
  return addSettingOptions(command, listSettings()).addOption(noUi());
}

/** Adds settings, and a file of settings, as flags whose values are left as they stand, for `readSettings` to check. */
export function addSettingOptions(command: Command, settings: readonly Setting[]): Command {
  for (const setting of settings) {
    const option = toOption(setting, `${setting.about} (default: ${defaultOf(setting)})`);
    if (setting.isList) option.argParser(collect);
    command.addOption(option);
  }
  return command.addOption(
    new Option(
      '--config <file>',
      'JSON or YAML file with settings: {"port": 9000, "max-num-seqs": 64} (CALM_CONFIG)',
    ),
  );
}

/** llama-server's name for the switch, for those who come from there; a flag only. */
function noUi(): Option {
  return new Option('--no-ui', 'the same as --disable-playground').implies({ disablePlayground: true });
}

/** A setting's flag, value and choices as an option. */
export function toOption({ short, flag, value, schema }: Setting, about: string): Option {
  const flags = short === undefined ? flag : `${short}, ${flag}`;
  const option = new Option(value === null ? flags : `${flags} ${value}`, about);
  const choices = schema instanceof z.ZodDefault && schema.unwrap();
  return choices instanceof z.ZodEnum ? option.choices(choices.options.map(String)) : option;
}
