/**
 * The end of .ci/run: prints `N passed, N failed, N skipped` as the last line, from the results that vitest wrote, and
 * exits with 1 when `npm test` failed, a test failed, or no test ran. A test file that could not be loaded counts as
 * one failed test. Usage: node scripts/ci-summary.mjs EXIT_CODE_OF_NPM_TEST. Checked by test/unit/ci-summary.test.ts.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './inputs.mjs'
import { isMain } from './run-command.mjs'

/**
 * @param {{ testResults?: { status: string, assertionResults: { status: string }[] }[] } | undefined} results
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
export function countTests(results) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const file of results?.testResults ?? []) {
    const states = file.assertionResults.map(test => test.status)
    counts.passed += states.filter(state => state === 'passed').length
    const failed = states.filter(state => state === 'failed').length
    counts.failed += failed === 0 && file.status === 'failed' ? 1 : failed
    counts.skipped += states.filter(state => state !== 'passed' && state !== 'failed').length
  }
  return counts
}

/** Why the run is not a good one, or undefined. */
export function whyFailed({ passed, failed }, exitCode) {
  if (failed > 0) return 'tests failed'
  if (passed === 0) return 'no test ran'
  if (exitCode !== 0) return `npm test ended with exit code ${exitCode}; what failed is said above`
  return undefined
}

function readResults() {
  try {
    return JSON.parse(readFileSync(join(root, 'build', 'test-results.json'), 'utf8'))
  } catch {
    return undefined
  }
}

if (isMain(import.meta.url)) {
  const counts = countTests(readResults())
  const reason = whyFailed(counts, Number(process.argv[2] ?? 1))
  if (reason !== undefined) console.log(`ci: ${reason}`)
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  process.exitCode = reason === undefined ? 0 : 1
}
