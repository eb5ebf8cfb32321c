/** A disk whose n-th operation fails, or is the last one before a crash: for the tests of checkpoints. */
import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { type Disk, disk } from '../../src/train/disk.ts'

/**
 * What happens at the chosen operation. `full`: half of a file is written, or nothing done, then the disk is full; it
 * works again afterwards. The crashes: nothing, half of it, or all of it is done, and nothing ever after.
 */
export const FAULTS = ['full', 'crash before', 'crash halfway', 'crash after'] as const
export type Fault = (typeof FAULTS)[number]

/** The name of a file without what makes a temporary name new. */
export const nameOf = (path: string) => basename(path).replace(/\.[0-9a-f]{12}\.tmp$/, '.tmp')

/** An operation as tests name it: `write last.safetensors.tmp`. */
export type Observer = (operation: string) => void

/** A disk that tells of every operation before it is done, and of its end. */
export function observedDisk(before: Observer, halfway: Observer = () => {}, after: Observer = () => {}): Disk {
  const tell = async (operation: string, work: () => Promise<void>) => {
    before(operation)
    await work()
    after(operation)
  }
  return {
    write: (path, parts) =>
      tell(`write ${nameOf(path)}`, async () => {
        writeFileSync(path, Buffer.concat(parts).subarray(0, Buffer.concat(parts).length / 2))
        halfway(`write ${nameOf(path)}`)
        await disk.write(path, parts)
      }),
    rename: (from, to) => tell(`rename ${nameOf(to)}`, () => disk.rename(from, to)),
    syncFolder: path => tell('syncFolder', () => disk.syncFolder(path)),
    remove: path => tell(`remove ${nameOf(path)}`, () => disk.remove(path)),
  }
}

/** A disk with a fault at operation number `at`, counted from 0. */
export function faultyDisk(fault: Fault, at: number): Disk & { operations: string[] } {
  const operations: string[] = []
  let crashed = false
  const failAt = (...faults: Fault[]) => {
    if (operations.length - 1 !== at || !faults.includes(fault)) return
    crashed = fault !== 'full'
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  }
  const isWrite = () => operations.at(-1)?.startsWith('write')
  const faulty = observedDisk(
    operation => {
      if (crashed) throw new Error('crashed before')
      operations.push(operation)
      if (fault !== 'full' || !isWrite()) failAt('full', 'crash before')
      if (!isWrite()) failAt('crash halfway') // has no half
    },
    () => failAt('full', 'crash halfway'),
    () => failAt('crash after'),
  )
  return Object.assign(faulty, { operations })
}
