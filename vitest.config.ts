import { defineConfig } from 'vitest/config'

const report = process.env.ASSISTANT_TEST_REPORT

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/bench/**', '**/node_modules/**'],
    setupFiles: ['test/seed.ts'],
    // Bounds for what never comes, not for what is slow: see test/eventually.ts.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 90_000 } },
    // Real processes and sandboxes on two cores: more files at once only make each slower.
    maxWorkers: 2,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
})
