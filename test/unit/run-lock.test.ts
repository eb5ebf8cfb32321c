/** The lock of a run folder: one writer, named to the others; locks of processes that are gone are in nobody's way. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { withDefaults } from '../../src/train/config.ts'
import { RunLock } from '../../src/train/run-lock.ts'
import { train } from '../../src/train/trainer.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const root = temporaryDirectory()
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  root.remove()
})
const newFolder = () => mkdtempSync(join(root.path, 'run-'))
const lockOf = (folder: string) => join(folder, 'run.lock')
const held = (folder: string, who: string) =>
  new DataError(
    `run folder: expected a folder that no other run writes into but received ${folder}, into which ${who} writes ` +
      `(${lockOf(folder)})`,
  )
const tiny = { depth: 5, primaryPartition: 2, secondaryPartition: 2, trainExamples: 64, testExamples: 20, threads: 1 }

/** A lock file as this process writes it, with other values. */
async function writeLock(folder: string, other: object): Promise<void> {
  const lock = await RunLock.acquire(folder)
  const holder = JSON.parse(readFileSync(lockOf(folder), 'utf8'))
  await lock.release()
  writeFileSync(lockOf(folder), JSON.stringify({ ...holder, id: 'other', ...other }))
}

/** The PID of a process that is gone. */
const gone = () => spawnSync(process.execPath, ['-e', '']).pid

test('a second writer in this process gets an error; after the release there is one again, and no file stays', async () => {
  const folder = newFolder()
  const lock = await RunLock.acquire(folder)
  await expect(RunLock.acquire(folder)).rejects.toThrow(held(folder, `this process (${process.pid})`))
  await lock.check()
  await lock.release()
  expect(readdirSync(folder)).toEqual([])
  await (await RunLock.acquire(folder)).release()
})

test('a second train() in a folder gets an error, and the first run is as if alone', async () => {
  const runDir = newFolder()
  const config = withDefaults({ ...tiny, numEpochs: 1 })
  const results = await Promise.allSettled([train(config, { runDir }), train(config, { runDir })])
  const failed = results.filter(result => result.status === 'rejected')
  expect(failed.map(({ reason }) => reason)).toEqual([held(runDir, `this process (${process.pid})`)])
  expect(existsSync(lockOf(runDir))).toBe(false)
  const again = await train({ ...config, numEpochs: 2 }, { runDir, resume: runDir })
  expect(again).toMatchObject({ epochs: 2, stopped: false })
})

test.runIf(process.platform === 'linux')(
  'the lock of a process that ended and was not waited for is stale',
  async () => {
    const folder = newFolder()
    const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
    children.push(parent)
    const [output] = await once(parent.stdout, 'data')
    const pid = Number(output)
    const fields = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')
    const start = fields()[21]
    while (fields()[2] !== 'Z') await new Promise(resolve => setTimeout(resolve, 20))
    await writeLock(folder, { pid, start })
    const before = performance.now()
    await (await RunLock.acquire(folder)).release()
    expect(performance.now() - before).toBeLessThan(5000) // not after ten seconds of silence
  },
)

test.runIf(process.platform !== 'win32')('what is no file is no lock, and is not waited for', async () => {
  const make: Record<string, (path: string) => void> = {
    'a folder': path => mkdirSync(path),
    'a FIFO': path => void spawnSync('mkfifo', [path]),
    'a link to nothing': path => symlinkSync('nothing', path),
    'a link to a file': path => symlinkSync('/etc/hosts', path),
  }
  for (const [kind, makeIt] of Object.entries(make)) {
    const runDir = newFolder()
    makeIt(lockOf(runDir))
    const error = await train(withDefaults({ ...tiny, numEpochs: 1 }), { runDir }).then(
      () => 'trained',
      reason => reason,
    )
    expect(error, kind).toBeInstanceOf(DataError)
    expect(error.message, kind).toMatch(
      /^run folder: (expected a file for the lock .*run\.lock|cannot write to .*: ELOOP)/,
    )
    expect(readdirSync(runDir), kind).toEqual(['run.lock'])
  }
})

test('a run that ends with an error lets its folder go', async () => {
  const runDir = newFolder()
  const onProgress = () => {
    throw new Error('enough')
  }
  await expect(train(withDefaults(tiny), { runDir, onProgress })).rejects.toThrow('enough')
  expect(existsSync(lockOf(runDir))).toBe(false)
})

test("another process is named; killed, it is in nobody's way", { timeout: 60_000 }, async () => {
  const folder = newFolder()
  const source = fileURLToPath(new URL('../../src/train/run-lock.ts', import.meta.url))
  const code = `const { RunLock } = await import(process.argv[1]); await RunLock.acquire(process.argv[2])
    console.log('locked'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code, source, folder])
  children.push(child)
  await new Promise(resolve => child.stdout.once('data', resolve))
  await expect(RunLock.acquire(folder)).rejects.toThrow(held(folder, `process ${child.pid} on ${hostname()}`))
  child.kill('SIGKILL')
  await new Promise(resolve => child.once('close', resolve))
  const before = performance.now()
  const lock = await RunLock.acquire(folder)
  if (process.platform === 'linux') expect(performance.now() - before).toBeLessThan(1000)
  await lock.release()
  expect(readdirSync(folder)).toEqual([])
})

test("another thread is named; terminated, it is in nobody's way", { timeout: 60_000 }, async () => {
  const folder = newFolder()
  const source = fileURLToPath(new URL('../../src/train/run-lock.ts', import.meta.url))
  const code = `const { parentPort, workerData: { source, folder } } = require('node:worker_threads')
    const work = async () => {
      const { register } = await import('tsx/esm/api')
      register()
      const { RunLock } = await import(source)
      await RunLock.acquire(folder)
      parentPort.postMessage('locked')
      setInterval(() => {}, 1000)
    }
    work()`
  const worker = new Worker(code, { eval: true, workerData: { source, folder } })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await expect(RunLock.acquire(folder)).rejects.toThrow(held(folder, `this process (${process.pid})`))
  await worker.terminate()
  await (await RunLock.acquire(folder)).release()
  expect(readdirSync(folder)).toEqual([])
})

test('of many that find a stale lock at once, one gets it', async () => {
  const folder = newFolder()
  await writeLock(folder, { pid: gone() })
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => RunLock.acquire(folder)))
  const locks = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  expect(locks).toHaveLength(1)
  await locks[0]?.check()
  await locks[0]?.release()
  expect(readdirSync(folder)).toEqual([])
})

test.runIf(process.platform === 'linux')('a PID that another process has now is no holder', async () => {
  const folder = newFolder()
  await writeLock(folder, { start: '1' })
  await (await RunLock.acquire(folder)).release()
})

test.concurrent.each([
  ['of another boot', { system: 'another' }],
  ['of an unknown system', { system: undefined }],
  ['of another thread of this process', {}],
])('a lock %s is stale after ten seconds without a touch', { timeout: 30_000 }, async (_, other) => {
  const folder = newFolder()
  await writeLock(folder, other)
  const before = performance.now()
  await (await RunLock.acquire(folder)).release()
  expect(performance.now() - before).toBeGreaterThan(9000)
})

test.concurrent('a lock that a crash left empty is stale, too', { timeout: 30_000 }, async () => {
  const folder = newFolder()
  writeFileSync(lockOf(folder), '')
  await (await RunLock.acquire(folder)).release()
})

test.concurrent('a holder elsewhere that touches its lock is named', { timeout: 30_000 }, async () => {
  const folder = newFolder()
  await writeLock(folder, { system: 'another', pid: 17, host: 'elsewhere' })
  const touching = setInterval(() => utimesSync(lockOf(folder), new Date(), new Date()), 1000)
  await expect(RunLock.acquire(folder)).rejects.toThrow(held(folder, 'process 17 on elsewhere'))
  clearInterval(touching)
})

test('a holder touches its lock', async () => {
  const folder = newFolder()
  const lock = await RunLock.acquire(folder)
  utimesSync(lockOf(folder), 1, 1)
  await new Promise(resolve => setTimeout(resolve, 1500))
  const other = { system: 'another', pid: 17, host: 'elsewhere' }
  writeFileSync(lockOf(folder), JSON.stringify({ ...JSON.parse(readFileSync(lockOf(folder), 'utf8')), ...other }))
  await expect(RunLock.acquire(folder)).rejects.toThrow(held(folder, 'process 17 on elsewhere'))
  await lock.release()
})

test('a lock that was lost: the run ends before it writes, and leaves the lock of the next one', async () => {
  const runDir = newFolder()
  const next = newFolder()
  await writeLock(next, {})
  let written = ''
  const onProgress = ({ kind }: { kind: string }) => {
    if (kind !== 'step' || written !== '') return
    rmSync(lockOf(runDir))
    renameSync(lockOf(next), lockOf(runDir))
    written = readdirSync(runDir)
      .map(name => readFileSync(join(runDir, name), 'latin1'))
      .join()
  }
  await expect(train(withDefaults({ ...tiny, numEpochs: 1 }), { runDir, onProgress })).rejects.toThrow(
    new DataError(
      `run folder: expected ${lockOf(runDir)} to be this run's but it is gone or another's: the run ends without writing`,
    ),
  )
  expect(
    readdirSync(runDir)
      .map(name => readFileSync(join(runDir, name), 'latin1'))
      .join(),
  ).toBe(written)
})
