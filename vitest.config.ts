import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts', 'loadtest/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Every worker that opens a model starts native threads; two cores bear one such worker at a time.
    maxWorkers: 2,
    pool: 'forks',
  },
});
