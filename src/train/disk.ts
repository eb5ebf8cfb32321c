/**
 * Files that are whole or not there: written under a temporary name in the same folder, flushed to the device, then
 * renamed. Temporary names are never used twice, so that two writers at least leave whole files. The few operations on the
 * disk go through an object, so that tests can let each of them fail or be the last one before a crash
 * (test/unit/checkpoint.test.ts).
 */
import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

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

/** A new temporary name of a file: `config.json.5f0c3a9d1e77.tmp`. */
export const temporary = (path: string) => `${path}.${randomBytes(6).toString('hex')}.tmp`

/** What writers that were killed left under temporary names of a file, and older ones without a number. */
export async function leftovers(path: string): Promise<string[]> {
  const prefix = basename(path)
  const isLeft = (name: string) => name.startsWith(prefix) && /^(\.[0-9a-f]{12})?\.tmp$/.test(name.slice(prefix.length))
  const names = await readdir(dirname(path)).catch((): string[] => []) // no folder, nothing left
  return names.filter(isLeft).map(name => join(dirname(path), name))
}

/** Writes a file that is, whatever happens, the old or the new one. Throws the system's errors. */
export async function writeWhole(path: string, parts: readonly Uint8Array[], on: Disk = disk): Promise<void> {
  const unfinished = temporary(path)
  try {
    await on.write(unfinished, parts)
    await on.rename(unfinished, path)
  } catch (error) {
    await on.remove(unfinished).catch(() => {}) // the first error is the one to tell
    throw error
  }
  await on.syncFolder(dirname(path))
}
