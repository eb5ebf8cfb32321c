/** The choice between the fused kernels and the four operators by measured time, and the file that keeps it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { temporaryDirectory } from '../support/data-samples.ts'

const root = temporaryDirectory()
afterAll(root.remove)
const child = fileURLToPath(new URL('tuning-child.ts', import.meta.url))

/** The hash of the results in a process of its own. */
function results(environment: Record<string, string>): string {
  const env = { ...process.env, IGCNET_CUDA_IGC: '', IGCNET_CUDA_TUNING: 'none', ...environment }
  return execFileSync(process.execPath, ['--import', 'tsx', child], { env, encoding: 'utf8' }).trim()
}

const fused = results({ IGCNET_CUDA_IGC: 'fused' })
const composed = results({ IGCNET_CUDA_IGC: 'cudnn' })
const file = join(root.path, 'cache', 'tuning.txt')
const auto = (path = file) => results({ IGCNET_CUDA_TUNING: path })
const lines = () => readFileSync(file, 'utf8').trimEnd().split('\n')

it('measures once, keeps the choice in a file, and follows the file', () => {
  expect(fused).not.toBe(composed) // what is between the convolutions is rounded in one of them only
  expect(results({})).toBe(fused) // "none"
  auto()
  expect(readdirSync(join(root.path, 'cache'))).toEqual(['tuning.txt'])
  const [machine, ...choices] = lines()
  expect(machine).toMatch(/^igcnet [0-9a-f]{64}, kernels on the host, in place of a GPU, for tests$/)
  expect(choices.length).toBe(2) // forwards and backwards
  for (const choice of choices) expect(choice).toMatch(/^4 2 6 5 8 8 3 3 1 1 4 2 [01] ([01] )+[01]$/)
  for (const [choice, expected] of [
    ['0', fused],
    ['1', composed],
  ] as const) {
    const text = [machine, ...choices.map(line => line.slice(0, -1) + choice), ''].join('\n')
    writeFileSync(file, text)
    expect(auto()).toBe(expected)
    expect(readFileSync(file, 'utf8')).toBe(text)
  }
})

it('measures again for another machine, and what is damaged', () => {
  auto()
  const [machine = '', ...choices] = lines()
  for (const text of [
    `another machine\n${choices.join('\n')}\n`,
    '',
    `${machine}\nnonsense\n4 2 6\n1e999 7 0\n${'9'.repeat(50)} 1\n\n0\n`,
    `${machine}\n\u0000\u0001`,
  ]) {
    writeFileSync(file, text)
    expect([fused, composed]).toContain(auto())
    expect(lines()[0]).toBe(machine)
    expect(lines().length).toBeGreaterThanOrEqual(3)
  }
})

it('measures again where TF32 is allowed', () => {
  auto()
  const [machine] = lines()
  results({ IGCNET_CUDA_TUNING: file, IGCNET_TF32: '1' })
  expect(lines()[0]).toBe(`${machine}, TF32`)
  expect(lines().length).toBe(3)
})

it('does without a file that cannot be written', () => {
  const folder = join(root.path, 'folder')
  mkdirSync(folder)
  expect([fused, composed]).toContain(auto(folder))
  expect([fused, composed]).toContain(auto(join(file, 'below', 'a', 'file')))
  expect(existsSync(join(file, 'below'))).toBe(false)
  expect(readdirSync(root.path).sort()).toEqual(['cache', 'folder'])
})
