/**
 * The border of the addon under thousands of wrong calls (fuzz.ts), in a process of its own so that a crash is a failure
 * of this test. The seed is random; a failure prints it, and IGCNET_FUZZ_SEED takes it. IGCNET_FUZZ_RUNS is the number
 * of calls.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { runNode } from './run-child.ts'
import { validCalls } from './valid-calls.ts'

const child = fileURLToPath(new URL('./fuzz-child.ts', import.meta.url))
const seed = process.env.IGCNET_FUZZ_SEED ?? String(Date.now() % 2 ** 31)
const runs = process.env.IGCNET_FUZZ_RUNS ?? '4000'
const timeout = 110_000 + Number(runs) * 10

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'igcnet-fuzz-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function fuzz(workers: number, env: Record<string, string> = {}): Promise<void> {
  const log = join(folder, `log-${workers}`)
  const result = await runNode([child, seed, runs, log, String(workers)], { env, timeout })
  const logs = workers === 0 ? [log] : Array.from({ length: workers }, (_, number) => `${log}.${number}`)
  if (result.status === 0 && result.stdout.includes('fuzz: passed')) return
  const calls = logs.map(path => readFileSync(path, 'utf8')).join('\n')
  expect.fail(
    `IGCNET_FUZZ_SEED=${seed}: ${result.signal ?? result.status}\nin ${calls}\n${result.stderr.slice(0, 8000)}`,
  )
}

describe('wrong calls of native functions', () => {
  it('knows good arguments for every exported function', () => {
    expect(Object.keys(native).sort()).toEqual(Object.keys(validCalls).sort())
  })

  it('end in a valid result or an error of the right class', () => fuzz(0), timeout)

  it(
    'do so with fenced memory, and nothing is written out of bounds',
    () => fuzz(0, { IGCNET_DEBUG_MEMORY: '1' }),
    timeout,
  )

  it('do so in three worker threads at once', () => fuzz(3), timeout)
})
