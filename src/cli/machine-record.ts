/**
 * What a stored measurement says of where it was made: the machine, without any name of it, and the commit. Checked in
 * test/cli/bench.test.ts.
 */
import { spawnSync } from 'node:child_process'
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import { type DeviceInfo, info } from '../device.ts'
import type { DeviceName } from '../tensor.ts'

export interface MachineRecord {
  /** As the processor calls itself. */
  cpu: string
  cores: number
  memoryBytes: number
  platform: string
  node: string
  /** Of the device that was measured. */
  simd: DeviceInfo['simd']
  f32Lanes: number
  onednn: string | null
}

/** This machine, and what a device of it computes with. */
export function machineRecord(device: DeviceName = 'cpu'): MachineRecord {
  const { simd, f32Lanes, onednn } = info(device)
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    simd,
    f32Lanes,
    onednn,
  }
}

/** The commit of the clone that this file is in, with `-dirty` behind it when files differ; null outside of a clone. */
export function currentCommit(): string | null {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const git = (...args: string[]) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' })
  const head = git('rev-parse', '--short=12', 'HEAD')
  const [tracked, status] = [git('ls-files', 'package.json'), git('status', '--porcelain', '--', 'src', 'native')]
  // Installed as a package into someone else's clone, igcnet has no commit.
  if (head.status !== 0 || status.status !== 0 || tracked.stdout.trim() === '') return null
  return head.stdout.trim() + (status.stdout === '' ? '' : '-dirty')
}
