/**
 * The worker thread that prepares batches: receives buffers with the position of a batch, fills them, sends them back.
 * Started and explained by prefetch.ts; the work itself is in prepare.ts.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { BatchMaker, type BatchPlan, type ImageSource } from './prepare.ts'

/** What the main thread asks for. The buffers are transferred, there and back. */
export interface BatchRequest {
  readonly epoch: number
  readonly batch: number
  readonly images: ArrayBuffer
  readonly labels: ArrayBuffer
}

/** The answer to one request, in the order of the requests. */
export type BatchReply =
  | { readonly images: ArrayBuffer; readonly labels: ArrayBuffer; readonly count: number }
  | { readonly error: unknown }

/** What the worker starts with. */
export interface WorkerInput {
  readonly source: ImageSource
  readonly plan: BatchPlan
}

const port = parentPort
if (port === null) throw new Error('prepare-worker: expected to run in a worker thread but runs in the main thread')
const { source, plan } = workerData as WorkerInput
const maker = new BatchMaker(source, plan)

port.on('message', ({ epoch, batch, images, labels }: BatchRequest) => {
  try {
    const count = maker.fill(epoch, batch, new Float32Array(images), new Int32Array(labels))
    port.postMessage({ images, labels, count } satisfies BatchReply, [images, labels])
  } catch (error) {
    port.postMessage({ error } satisfies BatchReply)
  }
})
