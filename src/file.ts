/**
 * Looking at paths and opening files to read, with errors that say what a path is. A FIFO, whose opening would wait for a
 * writer for ever, is an error at once. Checked in test/unit/file.test.ts.
 */
import { constants, type Stats, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { DataError } from './errors.ts'

/** What a path is, in words. */
function kindOf(stats: Stats): string {
  if (stats.isFile()) return 'a file'
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a FIFO'
  if (stats.isSocket()) return 'a socket'
  return 'a device'
}

/** The error of an operation that could not read `path`. */
export function readError(op: string, path: string, cause: unknown): DataError {
  return new DataError(`${op}: cannot read ${path}: ${(cause as Error).message}`, { cause })
}

/** What is at a path, or undefined for nothing. @throws DataError when that cannot be found out */
export function statOf(op: string, path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (cause) {
    throw readError(op, path, cause)
  }
}

/** @throws DataError naming what `path` is, unless it is a file */
export function checkIsFile(op: string, path: string, stats: Stats): void {
  if (!stats.isFile()) throw new DataError(`${op}: expected a file but received ${kindOf(stats)}: ${path}`)
}

/** Opens a file to read. @throws DataError for what cannot be opened or is no file */
export async function openFile(op: string, path: string): Promise<FileHandle> {
  let file: FileHandle | undefined
  try {
    // Without waiting for the writer of a FIFO; for files it changes nothing. Windows has neither.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    checkIsFile(op, path, await file.stat())
    return file
  } catch (cause) {
    await file?.close()
    throw cause instanceof DataError ? cause : readError(op, path, cause)
  }
}
