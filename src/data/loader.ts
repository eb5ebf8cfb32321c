/**
 * Loader: the batches of a data set, epoch after epoch, prepared ahead in a worker thread (prefetch.ts). All of it
 * works on typed arrays; `Loader[Symbol.asyncIterator]` alone makes tensors of them. Checked in
 * test/unit/data-loader.test.ts.
 */

import { DisposedError, UnsupportedError } from '../errors.ts'
import { type DeviceChoice, type Tensor, tensor } from '../tensor.ts'
import { BatchQueue, type PlainBatch, type Position } from './prefetch.ts'
import { type BatchPlan, CHANNELS, countBatches, type ImageSource, SIZE } from './prepare.ts'
import { MAX_EPOCH } from './random.ts'

/** A batch as tensors. */
export interface Batch {
  /** Normalised images, [N, height, width, channels]. */
  readonly images: Tensor<[number, 32, 32, 3], 'f32'>
  /** Labels, from 0. */
  readonly labels: Tensor<[number], 'i32'>
}

/** Where a loader stands: `batch` batches of epoch `epoch` were handed out. Plain JSON. */
export type LoaderState = Position

/** What a data set says about itself to make a Loader. */
export interface LoaderInput {
  readonly name: string
  readonly plan: BatchPlan
  readonly examples: number
  readonly classes: number
  readonly classNames: () => readonly string[] | undefined
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly device: DeviceChoice | undefined
  /** Reads (and downloads, until `signal` aborts) the images; called at most once at a time. */
  readonly open: (signal: AbortSignal) => Promise<ImageSource>
}

// A loader that nobody holds any more ends its worker, even if nobody closed it.
const forgotten = new FinalizationRegistry<BatchQueue>(queue => void queue.close())

/**
 * The batches of a data set. One `for await` over it is one epoch; the next one is the next epoch, with another
 * order and other augmentation, all fixed by the seed.
 *
 * A loop that is left early (`break`, an error) leaves the rest of its epoch: the next `for await` starts the next
 * epoch. To go on in the middle of an epoch instead, hand `state()` to `loadState()`, of this loader or of one with
 * the same options in another process: the next `for await` then continues with exactly the next batch.
 *
 * The tensors of a batch belong to the loop body: they are disposed when the loop asks for the next batch, or ends.
 */
export class Loader {
  /** The name of the data set. */
  readonly name: string
  /** Examples used of the split. */
  readonly examples: number
  /** Examples in a batch; the last batch of an epoch has fewer if `dropLast` is false. */
  readonly batchSize: number
  /** Batches in an epoch. */
  readonly batchesPerEpoch: number
  /** Number of classes. */
  readonly classes: number
  /** What was subtracted from the stored values (RGB), and what they were then divided by. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly #input: LoaderInput
  readonly #abort = new AbortController()
  #opening: Promise<BatchQueue> | undefined
  #position: Position = { epoch: 0, batch: 0 }
  /** A loop took batches of the epoch of `#position` and did not come to its end. */
  #unfinished = false
  /** Counts loops: the newest one alone may go on. */
  #loop = 0

  constructor(input: LoaderInput) {
    this.#input = input
    this.name = input.name
    this.examples = input.examples
    this.batchSize = input.plan.batchSize
    this.batchesPerEpoch = countBatches(input.examples, input.plan)
    this.classes = input.classes
    this.mean = input.mean
    this.std = input.std
  }

  /** The names of the classes, by label, if they are known. */
  get classNames(): readonly string[] | undefined {
    return this.#input.classNames()
  }

  /**
   * Reads the data set, and downloads it first if asked to. The first loop does so by itself; this is to have errors
   * and progress before it.
   * @throws DataError for missing or malformed files and failed downloads
   */
  async ready(): Promise<void> {
    await this.#open()
  }

  /**
   * The position: within a loop body, right after the batch that the body works on. After the last batch of an epoch
   * it is `{ epoch, batch: batchesPerEpoch }` until the loop ends, then `{ epoch: epoch + 1, batch: 0 }`.
   */
  state(): LoaderState {
    return { ...this.#position }
  }

  /**
   * Sets the position: the next `for await` hands out the batches of `epoch` from `batch` on, bit for bit those of an
   * uninterrupted epoch (none at all if `batch` is `batchesPerEpoch`). A loop that is running ends with an error.
   * @throws TypeError, RangeError for a state that does not fit this loader
   */
  loadState(state: LoaderState): void {
    for (const [key, most] of [
      ['epoch', MAX_EPOCH - 1],
      ['batch', this.batchesPerEpoch],
    ] as const) {
      const value: unknown = (state as LoaderState | null | undefined)?.[key]
      if (typeof value !== 'number') {
        throw new TypeError(`${this.name}: expected a state with a number '${key}' but received ${String(value)}`)
      }
      if (!Number.isInteger(value) || value < 0 || value > most) {
        throw new RangeError(
          `${this.name}: expected '${key}' of a state to be an integer from 0 to ${most} but received ${value}`,
        )
      }
    }
    this.#position = { epoch: state.epoch, batch: state.batch }
    this.#unfinished = false
    this.#loop++
  }

  /**
   * One epoch as typed arrays instead of tensors, otherwise as `for await` over the loader itself. The arrays of a
   * batch are valid until the next batch is asked for; after that they are used again (and detached).
   */
  async *plainBatches(): AsyncGenerator<PlainBatch, void, undefined> {
    const loop = ++this.#loop
    if (this.#unfinished) this.#position = { epoch: this.#position.epoch + 1, batch: 0 }
    this.#unfinished = false
    const { epoch } = this.#position
    const queue = await this.#open()
    this.#checkNewest(loop)
    while (this.#position.batch < this.batchesPerEpoch) {
      const batch = await queue.take(this.#position)
      this.#checkNewest(loop)
      this.#position = { epoch, batch: this.#position.batch + 1 }
      this.#unfinished = true
      try {
        yield batch
      } finally {
        queue.recycle(batch)
      }
      this.#checkNewest(loop)
    }
    this.#position = { epoch: epoch + 1, batch: 0 }
    this.#unfinished = false
  }

  /** One epoch of batches as tensors on the loader's device. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const { device } = this.#input
    const on = device === undefined ? {} : { device }
    for await (const plain of this.plainBatches()) {
      const images = tensor(plain.images, [plain.count, SIZE, SIZE, CHANNELS] as [number, 32, 32, 3], on)
      try {
        const labels = tensor(plain.labels, [plain.count] as [number], on)
        try {
          yield { images, labels }
        } finally {
          labels.dispose()
        }
      } finally {
        images.dispose()
      }
    }
  }

  /** Ends the worker thread and a download under way. The loader cannot be used any more. */
  async close(): Promise<void> {
    this.#abort.abort()
    const queue = await this.#opening?.catch(() => undefined)
    await queue?.close()
  }

  /** The same as `close`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Throws if another loop or `loadState` came after the loop `loop`. */
  #checkNewest(loop: number): void {
    if (loop === this.#loop) return
    throw new UnsupportedError(
      `${this.name}: expected one loop over a loader at a time but received a newer loop or state`,
    )
  }

  async #open(): Promise<BatchQueue> {
    const { signal } = this.#abort
    if (signal.aborted) {
      throw new DisposedError(`${this.name}: expected an open loader but received one that was closed`)
    }
    this.#opening ??= this.#start(signal)
    try {
      return await this.#opening
    } catch (error) {
      // So that a loop can be tried again, for instance after a failed download.
      this.#opening = undefined
      throw error
    }
  }

  async #start(signal: AbortSignal): Promise<BatchQueue> {
    const source = await this.#input.open(signal)
    if (signal.aborted) {
      throw new DisposedError(`${this.name}: expected an open loader but it was closed while it was read`)
    }
    const queue = new BatchQueue(source, this.#input.plan)
    forgotten.register(this, queue)
    return queue
  }
}
