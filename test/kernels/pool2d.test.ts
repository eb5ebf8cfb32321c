/**
 * avgPool2d and maxPool2d over test/shapes/pool2d.json, globalAvgPool2d over test/shapes/batch-norm2d.json: maxima are
 * exact; for means the error of `cpu` is at most twice that of `reference` in f32.
 */
import { describe, expect, it } from 'vitest'
import { full, globalAvgPool2d } from '../../src/index.ts'
import { native } from '../../src/native.ts'
import { batchNorm2dShapes, pool2dShapes } from '../shapes/shapes.ts'
import {
  DEVICE,
  expectClose,
  expectExact,
  integers,
  normals,
  type Place,
  runKernel,
} from '../support/kernel-compare.ts'

const output = (size: number, kernel: number, stride: number, padding: number) =>
  Math.floor((size + 2 * padding - kernel) / stride) + 1

describe.each(pool2dShapes)('pool2d $name', ({ N, H, W, C, kernel, stride, padding }) => {
  const params = { kernel, stride, padding }
  const shape = [N, H, W, C]
  const outputShape = [N, output(H, kernel, stride, padding), output(W, kernel, stride, padding), C]

  it('avgPool2d', () => {
    return expectClose(put => ({
      y: native.avgPool2dForward(put(normals(shape, 1)), params),
      dx: native.avgPool2dBackwardInput(put(normals(outputShape, 2)), { ...params, shape }),
    }))
  })

  it('maxPool2d, with many equal values', () => {
    return expectExact(put => {
      const x = put(integers(shape, 1))
      return {
        y: native.maxPool2dForward(x, params),
        dx: native.maxPool2dBackwardInput(put(integers(outputShape, 2)), x, params),
      }
    })
  })
})

it.each([
  { device: 'reference', dtype: 'f32' },
  { device: DEVICE, dtype: 'f32' },
] satisfies Place[])('maxPool2d on $device: the first of equals takes the gradient; a NaN is not hidden', place => {
  const params = { kernel: 2, stride: 2, padding: 0 }
  const outputs = runKernel(put => {
    const x = put({ shape: [1, 2, 6, 1], data: Float64Array.of(5, 5, -1, -2, 1, 2, 5, 5, -1, -3, Number.NaN, 4) })
    return {
      y: native.maxPool2dForward(x, params),
      dx: native.maxPool2dBackwardInput(put({ shape: [1, 1, 3, 1], data: Float64Array.of(7, 8, 9) }), x, params),
    }
  }, place)
  expect(outputs.get('y')).toEqual(Float32Array.of(5, -1, Number.NaN))
  expect(outputs.get('dx')).toEqual(Float32Array.of(7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0))
})

it.each(batchNorm2dShapes)('globalAvgPool2d $name', ({ N, H, W, C }) => {
  return expectClose(put => ({
    y: native.globalAvgPool2dForward(put(normals([N, H, W, C], 1))),
    dx: native.globalAvgPool2dBackwardInput(put(normals([N, C], 2)), { shape: [N, H, W, C] }),
  }))
})

it.each([DEVICE as 'cpu', 'reference'] as const)('globalAvgPool2d on %s of a large map rounds little', device => {
  const x = full([1, 512, 512, 3], 0.1, { device })
  for (const mean of globalAvgPool2d(x).dataSync()) expect(Math.abs(mean - 0.1)).toBeLessThan(2e-6)
  x.dispose()
})
