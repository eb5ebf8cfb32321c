/** linear, with and without bias: `cpu` gives the numbers of `reference` over test/shapes/linear.json. */
import { expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { linearShapes } from '../shapes/shapes.ts'
import { DEVICE, expectExact, integers, runKernel } from '../support/kernel-compare.ts'

it.each(linearShapes)('linear $name', ({ N, C, K }) => {
  return expectExact(put => {
    const [x, w, b] = [put(integers([N, C], 1)), put(integers([K, C], 2)), put(integers([K], 3))]
    const dy = put(integers([N, K], 4))
    return {
      y: native.linearForward(x, w, b),
      withoutBias: native.linearForward(x, w),
      dx: native.linearBackwardInput(dy, w),
      dw: native.linearBackwardWeight(dy, x),
      db: native.linearBackwardBias(dy),
    }
  })
})

it.each(['reference', DEVICE])('linear on %s is x w^T + b', device => {
  const outputs = runKernel(
    put => {
      const x = put({ shape: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) })
      const w = put({ shape: [2, 3], data: Float64Array.of(1, 0, -1, 2, 2, 2) })
      return { y: native.linearForward(x, w, put({ shape: [2], data: Float64Array.of(10, 20) })) }
    },
    { device, dtype: 'f32' },
  )
  expect(outputs.get('y')).toEqual(Float32Array.of(8, 32, 8, 50))
})
