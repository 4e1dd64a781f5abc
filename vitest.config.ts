import { defineConfig } from 'vitest/config';

const slow = { testTimeout: 300_000, hookTimeout: 900_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/vectors/**/*.test.ts', 'test/contract/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { name: 'seal', include: ['test/seal/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { test: { name: 'api', include: ['test/api/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { test: { name: 'operator', include: ['test/operator/**/*.test.ts'], ...slow } },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...slow } },
    ],
  },
});
