/**
 * randomUniform and randomNormal: on both devices the numbers of Philox4x32-10, which is written here a second time and
 * held against the test vectors that its authors published with Random123 (kat_vectors); and their moments.
 */
import '../support/debug-memory.ts'
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { DEVICE } from '../support/kernel-compare.ts'

const MASK = 0xffffffffn

function philox(counter: bigint[], key: bigint[]): bigint[] {
  let [c0, c1, c2, c3] = counter as [bigint, bigint, bigint, bigint]
  let [k0, k1] = key as [bigint, bigint]
  for (let round = 0; round < 10; round++) {
    const product0 = 0xd2511f53n * c0
    const product1 = 0xcd9e8d57n * c2
    ;[c0, c1, c2, c3] = [(product1 >> 32n) ^ c1 ^ k0, product1 & MASK, (product0 >> 32n) ^ c3 ^ k1, product0 & MASK]
    k0 = (k0 + 0x9e3779b9n) & MASK
    k1 = (k1 + 0xbb67ae85n) & MASK
  }
  return [c0, c1, c2, c3]
}

/** The two uniforms of a block. */
function uniforms(seed: number, block: number): [number, number] {
  const words = philox([BigInt(block) & MASK, BigInt(block) >> 32n, 0n, 0n], [BigInt(seed) & MASK, BigInt(seed) >> 32n])
  const unit = (high: bigint, low: bigint) => Number(((high << 32n) | low) >> 11n) * 2 ** -53
  return [unit(words[0] as bigint, words[1] as bigint), unit(words[2] as bigint, words[3] as bigint)]
}

const SEEDS = [
  [0, 0],
  [1, 0],
  [42, 1000],
  [2 ** 32 + 5, 2 ** 32 - 2],
  [2 ** 53 - 1, 2 ** 40],
] as const

it('the copy of Philox4x32-10 here gives the published vectors', () => {
  const ones = [MASK, MASK, MASK, MASK]
  expect(philox([0n, 0n, 0n, 0n], [0n, 0n])).toEqual([0x6627e8d5n, 0xe169c58dn, 0xbc57ac4cn, 0x9b00dbd8n])
  expect(philox(ones, [MASK, MASK])).toEqual([0x408f276dn, 0x41c83b0en, 0xa20bc7c6n, 0x6d5451fdn])
  const pi = [0x243f6a88n, 0x85a308d3n, 0x13198a2en, 0x03707344n]
  expect(philox(pi, [0xa4093822n, 0x299f31d0n])).toEqual([0xd16cfe09n, 0x94fdccebn, 0x5001e420n, 0x24126ea1n])
})

const PLACES = [
  { device: 'reference', dtype: 'f64' },
  { device: 'reference', dtype: 'f32' },
  { device: DEVICE, dtype: 'f32' },
]

describe.each(PLACES)('$device in $dtype', ({ device, dtype }) => {
  const round = dtype === 'f32' ? Math.fround : (value: number) => value

  it.each(SEEDS)('randomUniform with seed %i from block %i', (seed, offset) => {
    for (const length of [0, 1, 2, 33, 1001]) {
      const params = { device, dtype, shape: [length], seed, offset, a: 0, b: 1 }
      const values = native.tensorReadSync(native.randomUniform(params))
      const expected = Array.from({ length }, (_, i) => round(uniforms(seed, offset + (i >> 1))[i % 2] as number))
      expect(Array.from(values)).toEqual(expected)
    }
  })

  it.each(SEEDS)('randomNormal with seed %i from block %i', (seed, offset) => {
    const params = { device, dtype, shape: [33], seed, offset, a: 3, b: 2 }
    const values = native.tensorReadSync(native.randomNormal(params))
    for (let i = 0; i < 33; i++) {
      const [u0, u1] = uniforms(seed, offset + (i >> 1))
      const radius = Math.sqrt(-2 * Math.log(1 - u0))
      const expected = 3 + 2 * radius * (i % 2 === 0 ? Math.cos(2 * Math.PI * u1) : Math.sin(2 * Math.PI * u1))
      // The logarithm and the cosine of two mathematical libraries may differ in the last place.
      expect(Math.abs((values[i] as number) - expected)).toBeLessThanOrEqual(dtype === 'f32' ? 1e-6 : 1e-14)
    }
  })

  it('has the moments of its distribution', () => {
    const length = 200_000
    const params = { device, dtype, shape: [length], seed: 7, offset: 0 }
    const uniform = moments(native.tensorReadSync(native.randomUniform({ ...params, a: -1, b: 3 })))
    const normal = moments(native.tensorReadSync(native.randomNormal({ ...params, a: -1, b: 3 })))
    // Five standard errors of the mean.
    expect(Math.abs(uniform.mean - 1)).toBeLessThan((5 * 4) / Math.sqrt(12 * length))
    expect(Math.abs(normal.mean + 1)).toBeLessThan((5 * 3) / Math.sqrt(length))
    expect(uniform.deviation).toBeCloseTo(4 / Math.sqrt(12), 2)
    expect(normal.deviation).toBeCloseTo(3, 1)
    expect(uniform.least).toBeGreaterThanOrEqual(-1)
    expect(uniform.largest).toBeLessThanOrEqual(3)
  })
})

it('cpu and reference give the same bits', () => {
  for (const random of [native.randomUniform, native.randomNormal]) {
    const [a, b] = [DEVICE, 'reference'].map(device =>
      native.tensorReadSync(random({ device, dtype: 'f32', shape: [10_001], seed: 3, offset: 5, a: 0, b: 1 })),
    )
    expect(a).toEqual(b)
  }
})

it.each([DEVICE, 'reference'])('uniforms on %s stay below high where they are rounded', device => {
  for (const [dtype, a, b] of [
    ['f32', 1000, 1001],
    ['f32', -1001, -1000],
    ['f64', 1e15, 1e15 + 1],
  ] as const) {
    if (dtype === 'f64' && device !== 'reference') continue
    const params = { device, dtype, shape: [1 << 17], seed: 1, offset: 0, a, b }
    const { least, largest } = moments(native.tensorReadSync(native.randomUniform(params)) as Float32Array)
    expect(least).toBeGreaterThanOrEqual(a)
    expect(largest).toBeLessThan(b)
  }
})

function moments(values: ArrayLike<number>) {
  const all = Array.from(values)
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length
  const deviation = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length)
  const [least, largest] = all.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [inf, -inf],
  )
  return { mean, deviation, least, largest }
}

const inf = Number.POSITIVE_INFINITY
