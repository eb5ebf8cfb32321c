/** The host's stand-in for a GPU, on which the kernels of native/cuda are tested, is tested itself. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from '../cli/command-line.ts'

it('blocks, barriers, shuffles and shared memory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'igcnet-simt-'))
  try {
    const program = join(folder, 'check')
    const sources = ['test/cuda/host-simt-check.cc', 'native/cuda/host/host_simt.cc'].map(file => join(root, file))
    const options = ['-std=c++20', '-O1', '-U_FORTIFY_SOURCE', '-DIGCNET_HOST_SIMT', `-I${join(root, 'native')}`]
    execFileSync('c++', [...options, '-o', program, ...sources])
    expect(execFileSync(program, { encoding: 'utf8' })).toBe('all checks passed\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
