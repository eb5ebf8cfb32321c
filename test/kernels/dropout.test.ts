/**
 * dropout: what falls is told by randomUniform with the same seed and offset, on both devices, in both directions; the
 * other device gives the numbers of `reference`; and the share that falls is the rate.
 */
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { DEVICE, expectExact, integers, type Place, runKernel } from '../support/kernel-compare.ts'

const SHAPES = [...Array.from({ length: 20 }, (_, i) => [i]), [], [3, 5, 7, 11], [64, 1280]]

it.each(SHAPES.map(shape => [shape] as const))('equals reference on [%s]', shape => {
  return expectExact(put => {
    const p = { rate: 0.5, seed: 3, offset: 5 } // times 2 is exact
    return {
      y: native.dropoutForward(put(integers(shape, 1)), p),
      dx: native.dropoutBackwardInput(put(integers(shape, 2)), p),
    }
  })
})

const PLACES = [
  { device: 'reference', dtype: 'f64' },
  { device: 'reference', dtype: 'f32' },
  { device: DEVICE, dtype: 'f32' },
] satisfies Place[]

describe.each(PLACES)('$device in $dtype', place => {
  it.each([
    [0, 0, 0],
    [0.2, 7, 0],
    [0.5, 2 ** 53 - 1, 2 ** 40],
    [0.999, 1, 2 ** 32 - 2],
  ])('rate %d, seed %i, from block %i', (rate, seed, offset) => {
    const length = 1001
    const uniform = { device: place.device, dtype: 'f64', shape: [length], seed, offset, a: 0, b: 1 }
    const u = native.tensorReadSync(native.randomUniform({ ...uniform, device: 'reference' }))
    const x = Float64Array.from({ length }, (_, i) => i + 1)
    const outputs = runKernel(put => {
      const p = { rate, seed, offset }
      const given = put({ shape: [length], data: x })
      return { y: native.dropoutForward(given, p), dx: native.dropoutBackwardInput(given, p) }
    }, place)
    const round = place.dtype === 'f32' ? Math.fround : (value: number) => value
    const scale = round(1 / (1 - rate))
    const expected = Array.from(x, (value, i) => ((u[i] as number) < rate ? 0 : round(value * scale)))
    expect(Array.from(outputs.get('y') ?? [])).toEqual(expected)
    expect(Array.from(outputs.get('dx') ?? [])).toEqual(expected)
  })

  it('drops the share that it is told', () => {
    const length = 100_000
    const outputs = runKernel(
      put => ({
        y: native.dropoutForward(put({ shape: [length], data: new Float64Array(length).fill(1) }), {
          rate: 0.3,
          seed: 11,
          offset: 0,
        }),
      }),
      place,
    )
    const dropped = Array.from(outputs.get('y') ?? []).filter(value => value === 0).length
    // Five standard deviations of the binomial distribution.
    expect(Math.abs(dropped - 0.3 * length)).toBeLessThan(5 * Math.sqrt(0.3 * 0.7 * length))
  })
})

it('refuses rates and counters that make no sense', () => {
  const x = () => native.tensorCreate({ device: 'cpu', dtype: 'f32', shape: [2] })
  for (const rate of [-0.1, 1, 2]) {
    expect(() => native.dropoutForward(x(), { rate, seed: 0, offset: 0 })).toThrow(
      `dropout: expected a rate of 0 or more and below 1 but received ${rate.toFixed(6)}`,
    )
  }
  expect(() => native.dropoutForward(x(), { rate: 0, seed: -1, offset: 0 })).toThrow(
    'dropout: expected a seed of 0 or more but received -1',
  )
})
