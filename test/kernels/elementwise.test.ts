/** add and relu: `cpu` gives the numbers of `reference` for every length around the vector widths, and NaN and infinity. */
import { expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { expectExact, integers, type Place, runKernel, type Values } from '../support/kernel-compare.ts'

const SHAPES = [...Array.from({ length: 70 }, (_, i) => [i]), [], [3, 5, 7, 11], [2, 32, 32, 48], [100_003]]
const SPECIAL: Values = {
  shape: [5],
  data: Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY, -2, 3, Number.NEGATIVE_INFINITY),
}

it.each(SHAPES.map(shape => [shape] as const))('add and relu of [%s]', shape => {
  return expectExact(put => {
    const [a, b] = [put(integers(shape, 1)), put(integers(shape, 2))]
    const y = native.reluForward(a)
    return { sum: native.addForward(a, b), y, dx: native.reluBackwardInput(b, y) }
  })
})

it.each([
  { device: 'reference', dtype: 'f32' },
  { device: 'cpu', dtype: 'f32' },
] satisfies Place[])('relu on $device passes NaN on, and no gradient at zero or NaN', place => {
  const outputs = runKernel(put => {
    const y = native.reluForward(put(SPECIAL))
    const dy = put({ shape: [5], data: Float64Array.of(1, 2, 3, 4, 5) })
    return { y, dx: native.reluBackwardInput(dy, y) }
  }, place)
  expect(outputs.get('y')).toEqual(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 0, 3, 0))
  expect(outputs.get('dx')).toEqual(Float32Array.of(0, 2, 0, 4, 0))
})
