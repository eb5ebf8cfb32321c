/**
 * Batches of src/data/prepare.ts against a straightforward recomputation: normalise, pad by 4, crop, mirror.
 */

import { describe, expect, it } from 'vitest'
import { CIFAR10 } from '../../src/data/cifar.ts'
import { BatchMaker, type BatchPlan, countBatches, type ImageSource, randomCrop } from '../../src/data/prepare.ts'
import { draw, PURPOSE_AUGMENT, shuffledOrder } from '../../src/data/random.ts'
import { noiseSource } from '../support/data-samples.ts'

const PLAN: BatchPlan = { batchSize: 8, shuffle: false, augment: false, dropLast: false, seed: 3 }

/** Image `example` padded by 4 normalised zeros: rows of pixels of three channels. */
function padded(source: ImageSource, example: number): number[][][] {
  return Array.from({ length: 40 }, (_, y) =>
    Array.from({ length: 40 }, (_, x) =>
      [0, 1, 2].map(c => {
        if (y < 4 || y >= 36 || x < 4 || x >= 36) return 0
        const byte = source.values[example * 3072 + c * 1024 + (y - 4) * 32 + (x - 4)] as number
        return Math.fround((byte - (CIFAR10.mean[c] as number)) / (CIFAR10.std[c] as number))
      }),
    ),
  )
}

function expected(source: ImageSource, example: number, epoch: number): number[] {
  const { dy, dx, mirror } = randomCrop(PLAN.seed, epoch, example, true)
  const rows = padded(source, example)
    .slice(4 + dy, 36 + dy)
    .map(row => row.slice(4 + dx, 36 + dx))
  return (mirror ? rows.map(row => row.reverse()) : rows).flat(2)
}

function make(source: ImageSource, plan: BatchPlan, epoch: number, batch: number) {
  const images = new Float32Array(plan.batchSize * 3072).fill(Number.NaN)
  const labels = new Int32Array(plan.batchSize).fill(-1)
  const count = new BatchMaker(source, plan).fill(epoch, batch, images, labels)
  return { images, labels, count }
}

describe('BatchMaker', () => {
  const source = noiseSource(20)

  it('normalises and interleaves the channels', () => {
    const { images, labels, count } = make(source, PLAN, 0, 1)
    expect(count).toBe(8)
    expect(Array.from(labels)).toEqual([8, 9, 10, 11, 12, 13, 14, 15])
    const rows = padded(source, 10)
      .slice(4, 36)
      .map(row => row.slice(4, 36))
    expect(Array.from(images.subarray(2 * 3072, 3 * 3072))).toEqual(rows.flat(2))
  })

  it('fills no more than the examples left', () => {
    const { images, labels, count } = make(source, PLAN, 0, 2)
    expect(count).toBe(4)
    expect(Array.from(labels)).toEqual([16, 17, 18, 19, -1, -1, -1, -1])
    expect(images.subarray(4 * 3072).every(Number.isNaN)).toBe(true)
    expect(images.subarray(0, 4 * 3072).some(Number.isNaN)).toBe(false)
  })

  it('pads, crops and mirrors as the plain computation does, for each example', () => {
    for (const epoch of [0, 1]) {
      for (const batch of [0, 1, 2]) {
        const { images, labels, count } = make(source, { ...PLAN, augment: true }, epoch, batch)
        for (let i = 0; i < count; i++) {
          const image = Array.from(images.subarray(i * 3072, (i + 1) * 3072))
          expect(image).toEqual(expected(source, labels[i] as number, epoch))
        }
      }
    }
  })

  it('takes examples in the order of the epoch', () => {
    const order = Array.from(shuffledOrder(20, PLAN.seed, 5))
    const plan = { ...PLAN, shuffle: true }
    const seen = [0, 1, 2].flatMap(batch => {
      const { labels, count } = make(source, plan, 5, batch)
      return Array.from(labels.subarray(0, count))
    })
    expect(seen).toEqual(order)
  })

  it('augments an example alike whatever the batch size and the order', () => {
    const small = make(source, { ...PLAN, augment: true, batchSize: 1 }, 2, 11)
    const large = make(source, { ...PLAN, augment: true, batchSize: 20, shuffle: true }, 2, 0)
    const at = large.labels.indexOf(11) * 3072
    expect(large.images.slice(at, at + 3072)).toEqual(small.images)
  })

  it('pads with the pad value and repeats a single plane, without a table', () => {
    const values = new Float32Array(new SharedArrayBuffer(4096)).fill(0.5)
    const labels = new Int32Array(new SharedArrayBuffer(4))
    const flat: ImageSource = { values, labels, stride: 1024, start: 0, planes: 1, padValue: -1, mirror: false }
    let epoch = 0
    while (randomCrop(PLAN.seed, epoch, 0, false).dy !== 3) epoch++
    const { images } = make(flat, { ...PLAN, batchSize: 1, augment: true }, epoch, 0)
    const { dx } = randomCrop(PLAN.seed, epoch, 0, false)
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) {
        const value = y + 3 < 32 && x + dx >= 0 && x + dx < 32 ? 0.5 : -1
        expect(Array.from(images.subarray((y * 32 + x) * 3, (y * 32 + x) * 3 + 3))).toEqual([value, value, value])
      }
    }
  })
})

describe('randomCrop', () => {
  it('takes the offsets from the first two words of the example, the mirror from the third', () => {
    for (let example = 0; example < 50; example++) {
      const words = draw(4, PURPOSE_AUGMENT, 6, example)
      const [dy, dx, side] = words.map((word, i) => Number((BigInt(word) * (i < 2 ? 9n : 2n)) >> 32n))
      expect(randomCrop(4, 6, example, true)).toEqual({ dy: Number(dy) - 4, dx: Number(dx) - 4, mirror: side === 1 })
    }
  })

  it('reaches each offset and mirrors half of the time', () => {
    const crops = Array.from({ length: 8100 }, (_, i) => randomCrop(0, 0, i, true))
    const places = new Map<string, number>()
    for (const { dy, dx } of crops) places.set(`${dy},${dx}`, (places.get(`${dy},${dx}`) ?? 0) + 1)
    // Chi-squared with 80 degrees of freedom: above 124.9 once in a thousand.
    const chiSquared = Array.from(places.values()).reduce((sum, n) => sum + (n - 100) ** 2 / 100, 0)
    expect(places.size).toBe(81)
    expect(chiSquared).toBeLessThan(124.9)
    for (const { dy, dx } of crops) expect(Math.max(Math.abs(dy), Math.abs(dx))).toBeLessThanOrEqual(4)
    // Standard deviation 45: within four of them.
    expect(Math.abs(crops.filter(crop => crop.mirror).length - 4050)).toBeLessThan(180)
  })

  it('never mirrors where it may not', () => {
    for (let i = 0; i < 100; i++) expect(randomCrop(0, 0, i, false).mirror).toBe(false)
  })
})

describe('countBatches', () => {
  it('counts a last batch that is not full unless it is dropped', () => {
    expect(countBatches(20, PLAN)).toBe(3)
    expect(countBatches(20, { ...PLAN, dropLast: true })).toBe(2)
    expect(countBatches(16, PLAN)).toBe(2)
  })
})
