/** The kernel tests that scripts/emulate-avx512 takes to an emulated processor run without Vitest, here on this one. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'igcnet-emulated-'))
const script = fileURLToPath(new URL('../../scripts/emulated-tests.mjs', import.meta.url))
beforeAll(() => void execFileSync(process.execPath, [script, folder]))
afterAll(() => rmSync(folder, { recursive: true }))

function run(suites: string, shard: string) {
  const env = { ...process.env, SUITES: suites, SHARD: shard }
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'dist/main.mjs')], {
    env,
    encoding: 'utf8',
  })
  return { status, passed: Number(/^emulated: (\d+) passed, 0 failed$/m.exec(stdout)?.[1]), text: stdout + stderr }
}

it('shares its tests out, and counts them', () => {
  const [whole, ...halves] = ['0/1', '0/2', '1/2'].map(shard => run('elementwise', shard))
  expect([whole, ...halves].map(one => one?.status)).toEqual([0, 0, 0])
  expect(whole?.passed).toBeGreaterThan(200)
  expect(halves.reduce((sum, { passed }) => sum + passed, 0)).toBe(whole?.passed)
})

it('fails without tests, and with a suite that it does not know', () => {
  expect(run('elementwise', '1000/1001').status).toBe(1)
  const { status, text } = run('conv3d', '0/1')
  expect([status, text]).toEqual([
    1,
    expect.stringMatching(/SUITES: expected some of .*igc-block.* but received conv3d/),
  ])
})
