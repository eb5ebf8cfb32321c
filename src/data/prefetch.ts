/**
 * A queue of batches that a worker thread prepares ahead of their use. Buffers go to the worker and come back by
 * transfer, never by copy, and are used again. Checked in test/unit/data-loader.test.ts and data-prefetch.test.ts.
 */

import { Worker } from 'node:worker_threads'
import { DisposedError, InternalError } from '../errors.ts'
import { type BatchPlan, countBatches, IMAGE_VALUES, type ImageSource } from './prepare.ts'
import type { BatchReply, BatchRequest, WorkerInput } from './prepare-worker.ts'

/** How many batches are asked for ahead of the one in use. */
export const QUEUE_DEPTH = 4

/** Where a batch stands: both count from 0. */
export interface Position {
  readonly epoch: number
  readonly batch: number
}

/** A batch as typed arrays: `images` is [count, 32, 32, 3] normalised, `labels` is [count]. */
export interface PlainBatch {
  readonly images: Float32Array<ArrayBuffer>
  readonly labels: Int32Array<ArrayBuffer>
  readonly count: number
}

interface Buffers {
  readonly images: ArrayBuffer
  readonly labels: ArrayBuffer
}

interface Waiting {
  readonly position: Position
  readonly batch: Promise<PlainBatch>
  readonly resolve: (batch: PlainBatch) => void
  readonly reject: (error: Error) => void
}

/** The worker: compiled, or beside TypeScript sources what starts its source. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './prepare-worker-source.mjs' : './prepare-worker.js',
  import.meta.url,
)

/** The batches of a source, in order and without end: after the last batch of an epoch comes the next epoch. */
export class BatchQueue {
  readonly #worker: Worker
  /** Of the largest batch. */
  readonly #capacity: number
  readonly #batchesPerEpoch: number
  /** Requests without an answer yet, in the order in which the worker answers them. */
  #sent: Waiting[] = []
  /** Batches asked for and not taken yet, in order; those that came are still here. */
  #ahead: Waiting[] = []
  #spare: Buffers[] = []
  /** Calls of `take` that wait. */
  #takers = 0
  #failure: Error | undefined

  /** Starts the worker; `entry` is another one, for tests. */
  constructor(source: ImageSource, plan: BatchPlan, entry: URL = WORKER) {
    this.#capacity = Math.min(plan.batchSize, source.labels.length)
    this.#batchesPerEpoch = countBatches(source.labels.length, plan)
    this.#worker = new Worker(entry, {
      workerData: { source, plan } satisfies WorkerInput,
      // Not those of the process: --input-type, for one, makes a worker with a file fail.
      execArgv: [],
    })
    this.#worker.on('message', (reply: BatchReply) => this.#receive(reply))
    this.#worker.on('error', error => this.#fail(new InternalError(`data worker: ${error.message}`, { cause: error })))
    this.#worker.on('exit', code =>
      this.#fail(new InternalError(`data worker: expected to run until closed but it ended with exit code ${code}`)),
    )
    this.#worker.unref()
  }

  /** The batch at `position`; those after it are asked for at once. The batch is the caller's until `recycle`. */
  async take(position: Position): Promise<PlainBatch> {
    if (this.#failure) throw this.#failure
    this.#dropUnless(position)
    const wanted = this.#ahead.shift() ?? this.#request(position)
    let next = this.#ahead.at(-1)?.position ?? position
    while (this.#ahead.length < QUEUE_DEPTH) {
      next = this.#after(next)
      this.#ahead.push(this.#request(next))
    }
    // An idle worker lets the process exit; one that is waited for must not.
    if (this.#takers++ === 0) this.#worker.ref()
    try {
      return await wanted.batch
    } finally {
      if (--this.#takers === 0) this.#worker.unref()
    }
  }

  /** Gives the buffers of a batch back; its arrays must not be used any more. */
  recycle(batch: PlainBatch): void {
    if (this.#spare.length > QUEUE_DEPTH) return
    this.#spare.push({ images: batch.images.buffer, labels: batch.labels.buffer })
  }

  /** Ends the worker. A `take` that waits is rejected with a DisposedError. */
  async close(): Promise<void> {
    this.#fail(new DisposedError('data worker: expected an open loader but received one that was closed'))
    await this.#worker.terminate()
  }

  #after({ epoch, batch }: Position): Position {
    return batch + 1 < this.#batchesPerEpoch ? { epoch, batch: batch + 1 } : { epoch: epoch + 1, batch: 0 }
  }

  /** Forgets what was asked for ahead if it does not start at `position`. */
  #dropUnless({ epoch, batch }: Position): void {
    const head = this.#ahead[0]
    if (head === undefined || (head.position.epoch === epoch && head.position.batch === batch)) return
    for (const waiting of this.#ahead) {
      waiting.batch.then(
        unused => this.recycle(unused),
        () => {},
      )
    }
    this.#ahead = []
  }

  #request(position: Position): Waiting {
    const buffers = this.#spare.pop() ?? {
      images: new ArrayBuffer(this.#capacity * IMAGE_VALUES * Float32Array.BYTES_PER_ELEMENT),
      labels: new ArrayBuffer(this.#capacity * Int32Array.BYTES_PER_ELEMENT),
    }
    let resolve: Waiting['resolve'] = () => {}
    let reject: Waiting['reject'] = () => {}
    const batch = new Promise<PlainBatch>((onBatch, onError) => {
      resolve = onBatch
      reject = onError
    })
    // A failure reaches the caller when it takes the batch; until then nobody listens, which is no fault.
    batch.catch(() => {})
    const waiting: Waiting = { position, batch, resolve, reject }
    this.#sent.push(waiting)
    this.#worker.postMessage({ ...position, ...buffers } satisfies BatchRequest, [buffers.images, buffers.labels])
    return waiting
  }

  #receive(reply: BatchReply): void {
    const waiting = this.#sent.shift()
    if (waiting === undefined) return
    if ('error' in reply) {
      const message = reply.error instanceof Error ? reply.error.message : String(reply.error)
      this.#sent.unshift(waiting)
      this.#fail(new InternalError(`data worker: ${message}`, { cause: reply.error }))
      return
    }
    const { images, labels, count } = reply
    waiting.resolve({
      images: new Float32Array(images, 0, count * IMAGE_VALUES),
      labels: new Int32Array(labels, 0, count),
      count,
    })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const waiting of this.#sent) waiting.reject(this.#failure)
    this.#sent = []
  }
}
