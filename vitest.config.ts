/**
 * How the tests run. `npm test` shows them on the terminal; the same results go to build/test-results.json, from which
 * CI counts them. Files of test/types hold what must and must not compile, and are checked by the compiler.
 */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: {
    alias: { igcnet: fileURLToPath(new URL('./src/index.ts', import.meta.url)) },
  },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/heartbeat.ts'],
    // Type errors elsewhere are found by the type check, which runs before the tests.
    typecheck: {
      enabled: true,
      include: ['test/types/**/*.test-d.ts'],
      tsconfig: './tsconfig.json',
      ignoreSourceErrors: true,
    },
    // Each file gets a process of its own: the addon's state, and a crash, stay in it.
    pool: 'forks',
    maxWorkers: 2,
    minWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    slowTestThreshold: 5_000,
    reporters: ['default', 'json'],
    outputFile: { json: 'build/test-results.json' },
    // Two processes share the cores: threads that wait for work must sleep, not spin.
    env: { OMP_WAIT_POLICY: 'passive' },
  },
})
