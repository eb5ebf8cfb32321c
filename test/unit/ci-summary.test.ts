/** The last line of a CI run (scripts/ci-summary.mjs): what is counted, and when a run is no good. */
import { describe, expect, it } from 'vitest'

interface Counts {
  passed: number
  failed: number
  skipped: number
}
interface Summary {
  countTests(results: unknown): Counts
  whyFailed(counts: Counts, exitCode: number): string | undefined
}
const { countTests, whyFailed }: Summary = await import(`${new URL('../../scripts/ci-summary.mjs', import.meta.url)}`)

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map(state => ({ status: state })),
})

describe('countTests', () => {
  it('adds up the files', () => {
    const testResults = [
      file('passed', 'passed', 'passed', 'skipped'),
      file('failed', 'passed', 'failed', 'todo', 'pending'),
    ]
    expect(countTests({ testResults })).toEqual({ passed: 3, failed: 1, skipped: 3 })
  })

  it('counts a file that could not be loaded as one failure', () => {
    expect(countTests({ testResults: [file('failed')] })).toEqual({ passed: 0, failed: 1, skipped: 0 })
  })

  it('counts nothing without results', () => {
    expect(countTests(undefined)).toEqual({ passed: 0, failed: 0, skipped: 0 })
  })
})

describe('whyFailed', () => {
  it.each([
    [{ passed: 1, failed: 0, skipped: 3 }, 0, undefined],
    [{ passed: 1, failed: 1, skipped: 0 }, 1, 'tests failed'],
    [{ passed: 1, failed: 1, skipped: 0 }, 0, 'tests failed'],
    [{ passed: 0, failed: 0, skipped: 3 }, 0, 'no test ran'],
    [{ passed: 9, failed: 0, skipped: 0 }, 1, 'npm test ended with exit code 1; what failed is said above'],
  ])('%o with exit code %i: %s', (counts, exitCode, reason) => {
    expect(whyFailed(counts, exitCode)).toBe(reason)
  })
})
