/**
 * Files that are whole or not there: written under a temporary name in the same folder, flushed to the device, then
 * renamed. The few operations on the disk go through an object, so that tests can let each of them fail or be the last
 * one before a crash (test/unit/checkpoint.test.ts).
 */
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The operations that can fail for want of space or rights. */
export interface Disk {
  /** Makes or replaces a file and waits until it is on the device. */
  write(path: string, parts: readonly Uint8Array[]): Promise<void>
  /** Replaces `to`, at once. */
  rename(from: string, to: string): Promise<void>
  /** Waits until the names in a folder are on the device. */
  syncFolder(path: string): Promise<void>
  /** Removes a file if it is there. */
  remove(path: string): Promise<void>
}

/** The real one. */
export const disk: Disk = {
  async write(path, parts) {
    const file = await open(path, 'w')
    try {
      for (const part of parts) await file.writeFile(part)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  rename: (from, to) => rename(from, to),
  async syncFolder(path) {
    if (process.platform === 'win32') return // folders cannot be opened there
    const folder = await open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },
  remove: path => rm(path, { force: true }),
}

/** The temporary name of a file. */
export const temporary = (path: string) => `${path}.tmp`

/** Writes a file that is, whatever happens, the old or the new one. Throws the system's errors. */
export async function writeWhole(path: string, parts: readonly Uint8Array[], on: Disk = disk): Promise<void> {
  try {
    await on.write(temporary(path), parts)
    await on.rename(temporary(path), path)
  } catch (error) {
    await on.remove(temporary(path)).catch(() => {}) // the first error is the one to tell
    throw error
  }
  await on.syncFolder(dirname(path))
}
