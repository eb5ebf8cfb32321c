/**
 * The generator of src/data/random.ts against the published vectors of Philox4x32-10 and against a second, plain
 * implementation in big integers; orders are permutations that differ by seed and epoch.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  below,
  draw,
  PURPOSE_AUGMENT,
  PURPOSE_SHUFFLE,
  philox4x32,
  shuffledOrder,
  type Words,
} from '../../src/data/random.ts'

/** The definition (Salmon et al. 2011, section 3.3), in big integers. */
function plainPhilox(counter: Words, key: readonly [number, number]): number[] {
  let [a, b, c, d] = counter.map(BigInt) as [bigint, bigint, bigint, bigint]
  let [k, l] = key.map(BigInt) as [bigint, bigint]
  const mask = 0xffffffffn
  for (let round = 0; round < 10; round++) {
    const p = 0xd2511f53n * a
    const q = 0xcd9e8d57n * c
    ;[a, b, c, d] = [(q >> 32n) ^ b ^ k, q & mask, (p >> 32n) ^ d ^ l, p & mask]
    k = (k + 0x9e3779b9n) & mask
    l = (l + 0xbb67ae85n) & mask
  }
  return [a, b, c, d].map(Number)
}

describe('philox4x32', () => {
  // Random123, tests/kat_vectors, lines "philox4x32 10".
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as [Words, [number, number], number[]][])('counter %j, key %j', (counter, key, expected) => {
    expect(philox4x32(counter, key)).toEqual(expected)
  })

  it('equals the definition for any counter and key', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff })
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
        expect(philox4x32(counter, key)).toEqual(plainPhilox(counter, key))
      }),
    )
  })
})

describe('draw', () => {
  it('has the seed as key and (index, 0, epoch and purpose, 0) as counter', () => {
    expect(draw(5, PURPOSE_SHUFFLE, 3, 9)).toEqual(plainPhilox([9, 0, 3 * 256 + 1, 0], [5, 0]))
    expect(draw(2 ** 32 + 6, PURPOSE_AUGMENT, 2 ** 24 - 1, 9)).toEqual(plainPhilox([9, 0, 0xffffff02, 0], [6, 1]))
  })
})

describe('below', () => {
  it('maps words evenly onto 0 .. n-1', () => {
    expect([0, 0x7fffffff, 0x80000000, 0xffffffff].map(word => below(word, 9))).toEqual([0, 4, 4, 8])
    expect(below(0xffffffff, 50_000)).toBe(49_999)
  })
})

describe('shuffledOrder', () => {
  it.each([1, 2, 3, 5, 1000])('is a permutation of %i', count => {
    const order = shuffledOrder(count, 0, 0)
    expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i))
  })

  it('swaps from the end with the words of the epoch in turn', () => {
    const order = Array.from(Array(11).keys())
    for (let last = 10, step = 0; last > 0; last--, step++) {
      const word = plainPhilox([Math.floor(step / 4), 0, 7 * 256 + 1, 0], [3, 0])[step % 4] as number
      const other = Number((BigInt(word) * BigInt(last + 1)) >> 32n)
      ;[order[last], order[other]] = [order[other] as number, order[last] as number]
    }
    expect(Array.from(shuffledOrder(11, 3, 7))).toEqual(order)
  })

  it('is the same for the same seed and epoch, another for another', () => {
    expect(shuffledOrder(100, 1, 2)).toEqual(shuffledOrder(100, 1, 2))
    expect(shuffledOrder(100, 1, 2)).not.toEqual(shuffledOrder(100, 1, 3))
    expect(shuffledOrder(100, 1, 2)).not.toEqual(shuffledOrder(100, 2, 2))
    expect(shuffledOrder(100, 1, 2)).not.toEqual(shuffledOrder(100, 1 + 2 ** 32, 2))
  })

  it('gives all 24 orders of 4 about equally often', () => {
    const counts = new Map<string, number>()
    for (let epoch = 0; epoch < 4800; epoch++) {
      const order = shuffledOrder(4, 0, epoch).join()
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    // Chi-squared with 23 degrees of freedom: above 49.7 once in a thousand.
    const chiSquared = Array.from(counts.values()).reduce((sum, n) => sum + (n - 200) ** 2 / 200, 0)
    expect(counts.size).toBe(24)
    expect(chiSquared).toBeLessThan(49.7)
  })
})
