/** The options of every command that runs a model: where it runs, and how much of the machine it takes. */
import type { Command } from 'commander';
import type { z } from 'zod';
import { addModelSettings } from './setting-options.js';
import type { modelSettingsSchema } from './settings.js';

/** Values of the options that `addModelOptions` adds. What is undefined is left to the runtime. */
export type ModelOptions = Readonly<z.infer<typeof modelSettingsSchema>>;

/** Adds the options to a command. */
export function addModelOptions(command: Command): Command {
  return addModelSettings(command);
}
