/** Directories are made with their parents, and an impossible one is an error and not a hang. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeDirectory } from '../../src/directory.ts'

const root = mkdtempSync(join(tmpdir(), 'igcnet-directory-'))
afterAll(() => rmSync(root, { recursive: true }))

describe('makeDirectory', () => {
  it('makes missing parents, and is content with what is there', async () => {
    const path = join(root, 'a', 'b', 'c')
    await Promise.all([makeDirectory(path), makeDirectory(path)])
    await makeDirectory(path)
    expect(existsSync(path)).toBe(true)
  })

  it('throws where a file is in the way', async () => {
    writeFileSync(join(root, 'file'), '')
    await expect(makeDirectory(join(root, 'file'))).rejects.toThrow('EEXIST')
    await expect(makeDirectory(join(root, 'file', 'x'))).rejects.toThrow(/EEXIST|ENOTDIR/)
  })

  it.skipIf(process.platform !== 'linux')('throws, and does not hang, below /proc', async () => {
    await expect(makeDirectory('/proc/no-such-process/x')).rejects.toThrow('ENOENT')
  })
})
