/** Settings as options of the command line. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { collect } from './option-values.js';
import { defaultOf, describeSetting, listSettings, modelSettingsSchema, type Setting } from './settings.js';

/** Adds every setting of `calm serve` as a flag whose value is left as it stands, for `readSettings` to check. */
export function addServeOptions(command: Command): Command {
  for (const setting of listSettings()) {
    const option = toOption(setting, `${setting.about} (default: ${defaultOf(setting)})`);
    if (setting.isList) option.argParser(collect);
    command.addOption(option);
  }
  return command.addOption(
    new Option(
      '--config <file>',
      'JSON file with settings: {"port": 9000, "max-num-seqs": 64} (CALM_CONFIG)',
    ),
  );
}

/** Adds the settings of a model as options that commander checks, for commands that have no configuration file. */
export function addModelSettings(command: Command): Command {
  for (const name of modelSettingsSchema.keyof().options) {
    const setting = describeSetting(name);
    const { schema, about, mustBe, variable, defaultText } = setting;
    const option = toOption(
      setting,
      defaultText === undefined ? about : `${about} (default: ${defaultText})`,
    );
    if (!option.argChoices?.length) {
      option.argParser(text => {
        const { success, data } = schema.safeParse(text);
        if (success) return data;
        throw new InvalidArgumentError(`It must be ${mustBe}.`);
      });
    }
    const fallback = schema.parse(undefined);
    if (fallback !== undefined) option.default(fallback);
    command.addOption(option.env(variable));
  }
  return command;
}

function toOption({ flag, value, schema }: Setting, about: string): Option {
  const option = new Option(value === null ? flag : `${flag} ${value}`, about);
  const choices = schema instanceof z.ZodDefault && schema.unwrap();
  return choices instanceof z.ZodEnum ? option.choices(choices.options.map(String)) : option;
}
