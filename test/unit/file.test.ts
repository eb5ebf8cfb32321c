/** Opening files: what is none is named, and a FIFO is not waited for. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { openFile, statOf } from '../../src/file.ts'
import { evaluateCheckpoint, readConfig } from '../../src/train/evaluate.ts'
import { readRunConfig } from '../../src/train/run-folder.ts'
import { caught, temporaryDirectory } from '../support/data-samples.ts'

const root = temporaryDirectory()
afterAll(root.remove)
const at = (name: string) => join(root.path, name)
writeFileSync(at('file'), 'text')
mkdirSync(at('run'))
if (process.platform !== 'win32')
  execFileSync('mkfifo', [at('fifo'), at('run/config.json'), at('run/best.safetensors')])

test('a file is opened; what is none is an error that says what it is', async () => {
  const file = await openFile('op', at('file'))
  expect(await file.readFile('utf8')).toBe('text')
  await file.close()
  for (const [name, kind] of [
    ['fifo', 'a FIFO'],
    ['run', 'a folder'],
  ]) {
    const text = `op: expected a file but received ${kind}: ${at(name as string)}`
    await expect(openFile('op', at(name as string))).rejects.toThrow(new DataError(text))
  }
  await expect(openFile('op', '/dev/zero')).rejects.toThrow('op: expected a file but received a device: /dev/zero')
  await expect(openFile('op', at('missing'))).rejects.toThrow(`op: cannot read ${at('missing')}: ENOENT`)
})

test('a socket is an error', async () => {
  const server = createServer().listen(at('socket'))
  await new Promise(resolve => server.once('listening', resolve))
  await expect(openFile('op', at('socket'))).rejects.toThrow(`op: cannot read ${at('socket')}: ENXIO`)
  server.close()
})

test('nothing at a path is undefined, what cannot be looked at is an error with its cause', () => {
  expect(statOf('op', at('missing'))).toBeUndefined()
  const error = caught(() => statOf('op', join(at('file'), 'x')))
  expect(error).toBeInstanceOf(DataError)
  expect(error.message).toMatch(`op: cannot read ${join(at('file'), 'x')}: ENOTDIR`)
  expect(error.cause).toMatchObject({ code: 'ENOTDIR' })
})

test('a FIFO as checkpoint or configuration is an error at once', async () => {
  const text = (path: string) => `expected a file but received a FIFO: ${path}`
  await expect(readConfig(at('fifo'))).rejects.toThrow(`safetensors: ${text(at('fifo'))}`)
  await expect(evaluateCheckpoint(at('run'))).rejects.toThrow(`safetensors: ${text(at('run/best.safetensors'))}`)
  await expect(readRunConfig(at('run'))).rejects.toThrow(`run folder: ${text(at('run/config.json'))}`)
  await expect(readConfig(join(at('file'), 'x'))).rejects.toThrow(/^checkpoint: cannot read .*: ENOTDIR/)
})
