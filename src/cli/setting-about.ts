/** Settings with what users are told of them. */
import { z } from 'zod';
import { switchSetting, wholeNumberSentence, wholeNumberSetting } from './setting-values.js';

/** What users are told of a setting. */
export interface SettingAbout {
  readonly group: 'models' | 'device and memory' | 'network' | 'access' | 'requests' | 'log';
  /** The value's name in help; null for a switch. */
  readonly value: string | null;
  readonly about: string;
  /** A flag of one letter, beside the long one. */
  readonly short?: string;
  /** Completes the sentence "... must be". */
  readonly mustBe: string;
  /** In words, where no value says it. */
  readonly defaultText?: string;
  /** May be given several times. */
  readonly isList?: boolean;
}

/** The descriptions, by schema. */
export const settingAbouts = z.registry<SettingAbout>();

/** A schema that is described. */
export function setting<Schema extends z.ZodType>(schema: Schema, about: SettingAbout): Schema {
  settingAbouts.add(schema, about);
  return schema;
}

/** Seconds in which something must be done. */
export function seconds(group: SettingAbout['group'], defaultSeconds: number, about: string) {
  return setting(wholeNumberSetting(1, 86_400).default(defaultSeconds), {
    group,
    value: '<seconds>',
    about,
    mustBe: wholeNumberSentence(1, 86_400),
  });
}

/** A switch, off by default. */
export function toggle(group: SettingAbout['group'], about: string) {
  return setting(switchSetting().default(false), { group, value: null, about, mustBe: 'true or false' });
}
