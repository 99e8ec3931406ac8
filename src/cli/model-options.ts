/** The options of every command that runs a model: where it runs, and how much of the machine it may take. */
import { type Command, InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { toOption } from './setting-options.js';
import { describeSetting, modelSettingsSchema } from './settings.js';

/** Values of the options that `addModelOptions` adds. What is undefined is left to the runtime. */
export type ModelOptions = Readonly<z.infer<typeof modelSettingsSchema>>;

/**
 * Adds the settings of a model as options that commander checks, for commands that have no configuration file.
 *
 * @param names the settings that the command has; all, where they are left out
 * @param defaults those that are the command's own
 */
export function addModelOptions(
  command: Command,
  names: readonly (keyof ModelOptions)[] = modelSettingsSchema.keyof().options,
  defaults: Partial<ModelOptions> = {},
): Command {
  for (const name of names) {
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
    const fallback = defaults[name] ?? schema.parse(undefined);
    if (fallback !== undefined) option.default(fallback);
    command.addOption(option.env(variable));
  }
  return command;
}
