import { defineConfig } from 'vitest/config';

// One group after the other: two cores, and the later ones start machines of their own.
const turn = (groupOrder: number) => ({ sequence: { groupOrder } });
const slow = { testTimeout: 300_000, hookTimeout: 900_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', ...turn(0), include: ['test/unit/**/*.test.ts', 'test/vectors/**/*.test.ts', 'test/contract/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { name: 'seal', ...turn(1), include: ['test/seal/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { test: { name: 'api', ...turn(2), include: ['test/api/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { test: { name: 'advisories', ...turn(2), include: ['test/advisories/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { test: { name: 'fuzz', ...turn(3), include: ['test/fuzz/**/*.test.ts'], testTimeout: 900_000, hookTimeout: 120_000, fileParallelism: false } },
      { test: { name: 'clients', ...turn(4), include: ['test/clients/**/*.test.ts'], ...slow } },
      { test: { name: 'operator', ...turn(5), include: ['test/operator/**/*.test.ts'], ...slow } },
      { test: { name: 'e2e', ...turn(6), include: ['test/e2e/**/*.test.ts'], ...slow } },
    ],
  },
});
