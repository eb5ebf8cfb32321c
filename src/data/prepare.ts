/**
 * From stored images to batches: order, crop, mirror, normalise. Everything is a pure function of the source, the
 * plan and (epoch, batch); it runs in a worker thread (prepare-worker.ts, prefetch.ts). Checked against a
 * straightforward recomputation in test/unit/data-augment.test.ts.
 */

import { below, draw, PURPOSE_AUGMENT, shuffledOrder } from './random.ts'

/** Images are SIZE x SIZE pixels with CHANNELS channels. */
export const SIZE = 32
export const CHANNELS = 3
export const PIXELS = SIZE * SIZE
export const IMAGE_VALUES = PIXELS * CHANNELS

/** The augmentation of the paper pads an image by this many pixels on each side before the random crop. */
export const PAD = 4

/**
 * All images of a split, in memory that threads share. Image i has `planes` planes of 32x32 values, one after the
 * other, from element `i * stride + start`; a single plane serves all three channels.
 */
export interface ImageSource {
  /** Bytes, which `table` normalises, or values that are normalised already. */
  readonly values: Uint8Array<SharedArrayBuffer> | Float32Array<SharedArrayBuffer>
  readonly stride: number
  readonly start: number
  readonly planes: 1 | 3
  /** For bytes: `table[256 * channel + byte]` is the normalised value. */
  readonly table?: Float32Array
  /** The normalised value of the pixels that padding adds. */
  readonly padValue: number
  /** Whether augmentation may mirror an image (not for digits). */
  readonly mirror: boolean
  /** One label an example: its length is the number of examples. */
  readonly labels: Int32Array<SharedArrayBuffer>
}

/** How batches are made from a source. */
export interface BatchPlan {
  readonly batchSize: number
  readonly shuffle: boolean
  readonly augment: boolean
  readonly dropLast: boolean
  /** A non-negative safe integer. */
  readonly seed: number
}

/** The part of an image that becomes an example: the offset of the crop (-PAD .. PAD) and the mirror. */
export interface Crop {
  readonly dy: number
  readonly dx: number
  readonly mirror: boolean
}

/** The crop of one example in one epoch; it depends on neither batch size nor order. */
export function randomCrop(seed: number, epoch: number, example: number, mayMirror: boolean): Crop {
  const words = draw(seed, PURPOSE_AUGMENT, epoch, example)
  const offsets = 2 * PAD + 1
  return {
    dy: below(words[0], offsets) - PAD,
    dx: below(words[1], offsets) - PAD,
    mirror: mayMirror && words[2] >>> 31 === 1,
  }
}

/** The normalised value of every byte in every channel: (byte - mean) / std, rounded once to 32 bits. */
export function normalisationTable(mean: readonly number[], std: readonly number[]): Float32Array {
  const table = new Float32Array(256 * CHANNELS)
  for (let c = 0; c < CHANNELS; c++) {
    for (let byte = 0; byte < 256; byte++) table[256 * c + byte] = (byte - (mean[c] as number)) / (std[c] as number)
  }
  return table
}

/** The number of batches an epoch of `examples` examples has. */
export function countBatches(examples: number, plan: BatchPlan): number {
  return plan.dropLast ? Math.floor(examples / plan.batchSize) : Math.ceil(examples / plan.batchSize)
}

/**
 * Writes image `example` of `source` to `out` from element `at`, as [32, 32, 3]: the pixel (y, x) of the result is
 * (y + dy, x + dx) of the image, or `padValue` outside it; a mirrored result has its columns reversed.
 */
export function writeImage(source: ImageSource, example: number, crop: Crop, out: Float32Array, at: number): void {
  const { values, table, padValue } = source
  const first = example * source.stride + source.start
  const planeStep = source.planes === 1 ? 0 : PIXELS
  const step = crop.mirror ? -CHANNELS : CHANNELS
  for (let y = 0; y < SIZE; y++) {
    const sy = y + crop.dy
    const inside = sy >= 0 && sy < SIZE
    let o = at + y * SIZE * CHANNELS + (crop.mirror ? (SIZE - 1) * CHANNELS : 0)
    for (let x = 0; x < SIZE; x++, o += step) {
      const sx = x + crop.dx
      if (!inside || sx < 0 || sx >= SIZE) {
        out[o] = out[o + 1] = out[o + 2] = padValue
        continue
      }
      const s = first + sy * SIZE + sx
      const red = values[s] as number
      const green = values[s + planeStep] as number
      const blue = values[s + 2 * planeStep] as number
      out[o] = table === undefined ? red : (table[red] as number)
      out[o + 1] = table === undefined ? green : (table[256 + green] as number)
      out[o + 2] = table === undefined ? blue : (table[512 + blue] as number)
    }
  }
}

const WHOLE: Crop = { dy: 0, dx: 0, mirror: false }

/** Makes any batch of any epoch; remembers the order of the last epoch asked for. */
export class BatchMaker {
  readonly #source: ImageSource
  readonly #plan: BatchPlan
  #orderEpoch = -1
  #order: Uint32Array = new Uint32Array(0)

  constructor(source: ImageSource, plan: BatchPlan) {
    this.#source = source
    this.#plan = plan
  }

  /** Fills `images` ([count, 32, 32, 3]) and `labels` ([count]) with batch `batch` of epoch `epoch`; returns count. */
  fill(epoch: number, batch: number, images: Float32Array, labels: Int32Array): number {
    const { batchSize, shuffle, augment, seed } = this.#plan
    const examples = this.#source.labels.length
    if (shuffle && epoch !== this.#orderEpoch) {
      this.#order = shuffledOrder(examples, seed, epoch)
      this.#orderEpoch = epoch
    }
    const start = batch * batchSize
    const count = Math.min(batchSize, examples - start)
    for (let i = 0; i < count; i++) {
      const example = shuffle ? (this.#order[start + i] as number) : start + i
      const crop = augment ? randomCrop(seed, epoch, example, this.#source.mirror) : WHOLE
      writeImage(this.#source, example, crop, images, i * IMAGE_VALUES)
      labels[i] = this.#source.labels[example] as number
    }
    return count
  }
}
