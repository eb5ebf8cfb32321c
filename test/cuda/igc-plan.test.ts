/** The tiles of the fused kernels that docs/kernels/cuda-resources.md names are those that native/cuda/igc_plan.cu takes. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from '../cli/command-line.ts'

const { FUSED_THREADS, stages } = await import(`${new URL('../../scripts/kernel-table.mjs', import.meta.url)}`)

interface Stage {
  forward: number[]
  weight: number[]
  direct: boolean
}

it('takes the tiles of the table', () => {
  const folder = mkdtempSync(join(tmpdir(), 'igcnet-plan-'))
  try {
    const program = join(folder, 'check')
    const files = ['test/cuda/igc-plan-check.cc', 'native/cuda/igc_plan.cu', 'native/cuda/host/host_simt.cc']
    const sources = files.map(file => join(root, file))
    const options = ['-std=c++20', '-O1', '-U_FORTIFY_SOURCE', '-DIGCNET_HOST_SIMT', `-I${join(root, 'native')}`]
    execFileSync('c++', [...options, '-o', program, '-xc++', ...sources])
    const table = (stages as Stage[]).map(({ forward, weight, direct }) => {
      const tiles = [forward, weight, forward].map(tile => tile.join(' x ')).join(', ')
      return `${tiles}, ${FUSED_THREADS} threads, ${direct ? 'direct' : 'packed'}\n`
    })
    expect(execFileSync(program, { encoding: 'utf8' })).toBe(table.join(''))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
