/**
 * Making directories. Node's own recursive mkdir never returns where the parent cannot take entries (/proc/x on Node 20),
 * so the parents are made one by one. Checked in test/unit/directory.test.ts.
 */
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the directory and the parents that are missing; nothing when it is there. Throws the system's error. */
export async function makeDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return
  const parent = dirname(path)
  if (parent !== path) await makeDirectory(parent)
  await mkdir(path).catch(async error => {
    const made = await stat(path).catch(() => undefined) // by someone else in between
    if (!made?.isDirectory()) throw error
  })
}
