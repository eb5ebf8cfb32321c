/**
 * The queue in front of the worker thread (src/data/prefetch.ts): order, jumps, faults of the worker, closing, and
 * the same worker in compiled form.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'
import { afterEach, describe, expect, it } from 'vitest'
import { BatchQueue, type PlainBatch, type Position, QUEUE_DEPTH } from '../../src/data/prefetch.ts'
import { BatchMaker, type BatchPlan } from '../../src/data/prepare.ts'
import { DisposedError, InternalError } from '../../src/errors.ts'
import { hashOf, noiseSource, temporaryDirectory } from '../support/data-samples.ts'

const PLAN: BatchPlan = { batchSize: 4, shuffle: true, augment: true, dropLast: false, seed: 9 }
const SOURCE = noiseSource(10)

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanUp.splice(0)) await step()
})

function queueOf(entry?: URL): BatchQueue {
  const queue = new BatchQueue(SOURCE, PLAN, entry)
  cleanUp.push(() => queue.close())
  return queue
}

/** A worker of the given code, which has `parentPort`. */
function workerOf(code: string): URL {
  const { path, remove } = temporaryDirectory()
  cleanUp.push(remove)
  const file = join(path, 'worker.mjs')
  writeFileSync(file, `import { parentPort } from 'node:worker_threads'\n${code}`)
  return pathToFileURL(file)
}

function expectBatch(batch: PlainBatch, { epoch, batch: index }: Position): void {
  const images = new Float32Array(4 * 3072)
  const labels = new Int32Array(4)
  const count = new BatchMaker(SOURCE, PLAN).fill(epoch, index, images, labels)
  expect(batch.count).toBe(count)
  expect(hashOf(batch.images)).toBe(hashOf(images.slice(0, count * 3072)))
  expect(batch.labels).toEqual(labels.slice(0, count))
}

const START: Position = { epoch: 0, batch: 0 }

describe('BatchQueue', () => {
  it('gives batches in order over the end of epochs, with buffers used again', async () => {
    const queue = queueOf()
    for (let i = 0; i < 12; i++) {
      const position = { epoch: Math.floor(i / 3), batch: i % 3 }
      const batch = await queue.take(position)
      expectBatch(batch, position)
      queue.recycle(batch)
    }
  })

  it('jumps anywhere, whatever was asked for ahead', async () => {
    const queue = queueOf()
    for (const [epoch, batch] of [
      [0, 0],
      [0, 1],
      [5, 2],
      [6, 0],
      [0, 0],
      [0, 0],
      [0, 2],
      [1, 0],
    ] as const) {
      const taken = await queue.take({ epoch, batch })
      expectBatch(taken, { epoch, batch })
      queue.recycle(taken)
    }
  })

  it('has no memory for more images than there are', async () => {
    const queue = new BatchQueue(SOURCE, { ...PLAN, batchSize: 65_536 })
    cleanUp.push(() => queue.close())
    const { images, labels, count } = await queue.take(START)
    expect(count).toBe(10)
    expect([images.buffer.byteLength, labels.buffer.byteLength]).toEqual([10 * 3072 * 4, 10 * 4])
  })

  it('asks for a fixed number of batches ahead', async () => {
    // This worker is slow, and answers with the number of requests so far as count.
    const counting = workerOf(`
      let requests = 0
      parentPort.on('message', ({ images, labels }) => {
        requests++
        setTimeout(() => parentPort.postMessage({ images, labels, count: requests }, [images, labels]), 200)
      })`)
    const queue = new BatchQueue(SOURCE, { ...PLAN, batchSize: 32 }, counting)
    cleanUp.push(() => queue.close())
    expect((await queue.take(START)).count).toBe(1 + QUEUE_DEPTH)
  })

  it('hands a fault of the worker to the one who waits and to all who come later', async () => {
    const queue = queueOf(workerOf("parentPort.on('message', () => { throw new Error('broken') })"))
    await expect(queue.take(START)).rejects.toThrow(new InternalError('data worker: broken'))
    await expect(queue.take(START)).rejects.toThrow(new InternalError('data worker: broken'))
  })

  it('hands on an error that the worker reports', async () => {
    const code = "parentPort.on('message', () => parentPort.postMessage({ error: new RangeError('too far') }))"
    await expect(queueOf(workerOf(code)).take(START)).rejects.toThrow(new InternalError('data worker: too far'))
  })

  it('notices a worker that ends', async () => {
    await expect(queueOf(workerOf("parentPort.on('message', () => process.exit(3))")).take(START)).rejects.toThrow(
      new InternalError('data worker: expected to run until closed but it ended with exit code 3'),
    )
  })

  it('notices a worker that does not start', async () => {
    await expect(queueOf(new URL('file:///nowhere/worker.mjs')).take(START)).rejects.toThrow(InternalError)
  })

  it('rejects who waits when it is closed', async () => {
    const queue = queueOf(workerOf("parentPort.on('message', () => {})"))
    const waiting = queue.take(START)
    const closed = queue.close()
    await expect(waiting).rejects.toThrow(
      new DisposedError('data worker: expected an open loader but received one that was closed'),
    )
    await closed
    await expect(queue.take(START)).rejects.toThrow(DisposedError)
  })
})

describe('compiled to JavaScript', () => {
  it('starts the compiled worker', async () => {
    const { path, remove } = temporaryDirectory()
    cleanUp.push(remove)
    const sources = fileURLToPath(new URL('../../src', import.meta.url))
    const files = readdirSync(join(sources, 'data')).filter(file => file.endsWith('.ts'))
    for (const file of ['errors.ts', ...files.map(file => join('data', file))]) {
      const compilerOptions = {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2022,
        rewriteRelativeImportExtensions: true,
      }
      const { outputText } = ts.transpileModule(readFileSync(join(sources, file), 'utf8'), { compilerOptions })
      const out = join(path, file.replace(/\.ts$/, '.js'))
      mkdirSync(dirname(out), { recursive: true })
      writeFileSync(out, outputText)
    }
    writeFileSync(join(path, 'package.json'), '{ "type": "module" }')
    const compiled = (await import(pathToFileURL(join(path, 'data', 'prefetch.js')).href)) as {
      BatchQueue: typeof BatchQueue
    }
    const queue = new compiled.BatchQueue(SOURCE, PLAN)
    cleanUp.push(() => queue.close())
    expectBatch(await queue.take({ epoch: 2, batch: 1 }), { epoch: 2, batch: 1 })
  })
})
