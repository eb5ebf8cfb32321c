/**
 * What the kernel tests use of Vitest, for a processor that is emulated: Vitest itself would take longer there than the
 * tests. scripts/emulate-avx512 bundles it in Vitest's place; `expect` is Vitest's own.
 */
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'
import * as chai from 'chai'

type Body = (...values: unknown[]) => unknown
interface Test {
  name: string
  run: () => unknown
}

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin)
export const expect = chai.expect

const tests: Test[] = []

/** The tests of all files imported so far. */
export function collected(): readonly Test[] {
  return tests
}

const valuesOf = (entry: unknown): unknown[] => (Array.isArray(entry) ? entry : [entry])
const nameOf = (name: string, entry: unknown) => `${name} ${JSON.stringify(entry)}`

export const describe = Object.assign((_name: string, body: Body) => body(), {
  each: (entries: readonly unknown[]) => (_name: string, body: Body) => {
    for (const entry of entries) body(...valuesOf(entry))
  },
})

export const it = Object.assign((name: string, body: Body) => void tests.push({ name, run: () => body() }), {
  each: (entries: readonly unknown[]) => (name: string, body: Body) => {
    for (const entry of entries) tests.push({ name: nameOf(name, entry), run: () => body(...valuesOf(entry)) })
  },
})
