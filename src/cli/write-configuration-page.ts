/** `npm run docs`: brings docs/configuration.md up to date. */
import { writeFileSync } from 'node:fs';
import { writeConfigurationPage } from './configuration-page.js';

writeFileSync(new URL('../../docs/configuration.md', import.meta.url), writeConfigurationPage());
