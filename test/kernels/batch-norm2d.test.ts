/**
 * batchNorm2d over test/shapes/batch-norm2d.json, training and inference, with and without ReLU, all steps: the error of `cpu` is at most
 * twice that of `reference` in f32. The definition itself is held by test/golden (PyTorch) and test/gradcheck.
 */
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { batchNorm2dShapes } from '../shapes/shapes.ts'
import { DEVICE, expectClose, normals, type Place, runKernel } from '../support/kernel-compare.ts'
import { batchNorm2dKernel, sumMagnitudes } from './batch-norm2d-kernel.ts'

const PLACES: Place[] = [
  { device: 'reference', dtype: 'f32' },
  { device: DEVICE, dtype: 'f32' },
]

describe.each([true, false])('batchNorm2d, training: %s', training => {
  it.each(batchNorm2dShapes)('$name', shape => {
    return expectClose(batchNorm2dKernel(shape, training), sumMagnitudes(shape))
  })

  it.each(batchNorm2dShapes)('$name, with ReLU', shape => {
    return expectClose(batchNorm2dKernel(shape, training, { relu: true }), sumMagnitudes(shape))
  })

  it('does not lose the deviation beside a far larger mean', () => {
    const shape = { name: '', why: '', N: 4, H: 8, W: 8, C: 17 }
    // What rounding x - mean does to y and the gradients: 2^-23 of the mean. The statistics take the plain bound.
    const rounding = { y: 1000, dx: 1000, dgamma: 1000 * 16, dbeta: 16 }
    return expectClose(batchNorm2dKernel(shape, training, { mean: 1000, deviation: 1 }), rounding)
  })
})

it.each(PLACES)('batchNorm2d on $device leaves running statistics alone in inference', place => {
  const statistics = normals([6], 3, 2, 0.1)
  const outputs = runKernel(put => {
    const [x, gamma, beta] = [put(normals([2, 3, 3, 6], 1)), put(normals([6], 2)), put(normals([6], 4))]
    const [runningMean, runningVar] = [put(statistics), put(statistics)]
    const params = { training: false, momentum: 0.9, epsilon: 2e-5 }
    const norm = native.batchNorm2dPrepare(x, gamma, beta, runningMean, runningVar, params)
    return { norm, runningMean, runningVar }
  }, place)
  expect(outputs.get('runningMean')).toEqual(Float32Array.from(statistics.data))
  expect(outputs.get('runningVar')).toEqual(Float32Array.from(statistics.data))
  expect(outputs.get('norm')?.slice(0, 6)).toEqual(Float32Array.from(statistics.data))
})

it.each(PLACES)('the ReLU of batchNorm2d on $device passes NaN on, and no gradient at zero or NaN', place => {
  const outputs = runKernel(put => {
    const column = (...data: number[]) => put({ shape: [data.length, 1], data: Float64Array.from(data) })
    const [x, dy] = [column(Number.NaN, Number.POSITIVE_INFINITY, -2, 1, 3), column(1, 2, 3, 4, 5)]
    const norm = put({ shape: [4, 1], data: Float64Array.of(1, 0.5, 2, 0) }) // (x - 1) * 0.5 * 2
    const [dgamma, dbeta] = [put({ shape: [1], data: new Float64Array(1) }), put(normals([1], 1))]
    const y = native.batchNorm2dApply(x, norm, { relu: true })
    const p = { relu: true, training: false }
    return { y, dx: native.batchNorm2dBackwardInput(dy, column(3, 2, -2, 1, 3), norm, dgamma, dbeta, p) }
  }, place)
  expect(outputs.get('y')).toEqual(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 0, 0, 2))
  expect(outputs.get('dx')).toEqual(Float32Array.of(1, 2, 0, 0, 5))
})

it.each(PLACES)('statistics on $device of an empty batch are NaN', place => {
  const outputs = runKernel(put => {
    return { statistics: native.batchNorm2dStatistics(put({ shape: [0, 2, 2, 3], data: new Float64Array(0) })) }
  }, place)
  expect(outputs.get('statistics')).toEqual(new Float32Array(6).fill(Number.NaN))
})

it.each(PLACES)('inference on $device: what is not finite in a channel stays at its pixel, backwards too', place => {
  const outputs = runKernel(put => {
    const column = (...data: number[]) => put({ shape: [data.length, 1], data: Float64Array.from(data) })
    const norm = put({ shape: [4, 1], data: Float64Array.of(0, 1, 2, 0) })
    const infinite = put({ shape: [1], data: Float64Array.of(Number.POSITIVE_INFINITY) })
    const dx = (relu: boolean) => {
      const x = column(Number.POSITIVE_INFINITY, Number.NaN, 2, 3e38)
      return native.batchNorm2dBackwardInput(column(1, 2, 3, 4), x, norm, infinite, infinite, { relu, training: false })
    }
    return { plain: dx(false), relu: dx(true) }
  }, place)
  expect(outputs.get('plain')).toEqual(Float32Array.of(2, 4, 6, 8))
  expect(outputs.get('relu')).toEqual(Float32Array.of(2, 0, 6, 8))
})

it.each(PLACES)('statistics on $device of a channel with an infinity: that is its mean', place => {
  const outputs = runKernel(put => {
    const data = Float64Array.from({ length: 64 * 2 }, (_, i) => (i === 70 ? Number.POSITIVE_INFINITY : i % 7))
    return { statistics: native.batchNorm2dStatistics(put({ shape: [4, 4, 4, 2], data })) }
  }, place)
  const [mean, other, variance] = outputs.get('statistics') ?? []
  expect([mean, variance]).toEqual([Number.POSITIVE_INFINITY, Number.NaN])
  expect(other).toBeCloseTo(3, 0)
})
