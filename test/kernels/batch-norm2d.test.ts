/**
 * batchNorm2d over test/shapes/batch-norm2d.json, training and inference, all directions: the error of `cpu` is at most
 * twice that of `reference` in f32. The definition itself is held by test/golden (PyTorch) and test/gradcheck.
 */
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { batchNorm2dShapes } from '../shapes/shapes.ts'
import { expectClose, normals, type Place, runKernel } from '../support/kernel-compare.ts'
import { batchNorm2dKernel, sumMagnitudes } from './batch-norm2d-kernel.ts'

describe.each([true, false])('batchNorm2d, training: %s', training => {
  it.each(batchNorm2dShapes)('$name', shape => {
    return expectClose(batchNorm2dKernel(shape, training), sumMagnitudes(shape))
  })

  it('does not lose the deviation beside a far larger mean', () => {
    const shape = { name: '', why: '', N: 4, H: 8, W: 8, C: 17 }
    // What rounding x - mean does to y and the gradients: 2^-23 of the mean. The statistics take the plain bound.
    const rounding = { y: 1000, dx: 1000, dgamma: 1000 * 16, dbeta: 16 }
    return expectClose(batchNorm2dKernel(shape, training, { mean: 1000, deviation: 1 }), rounding)
  })
})

it.each([
  { device: 'reference', dtype: 'f32' },
  { device: 'cpu', dtype: 'f32' },
] satisfies Place[])('batchNorm2d on $device leaves running statistics alone in inference', place => {
  const statistics = normals([6], 3, 2, 0.1)
  const outputs = runKernel(put => {
    const [x, gamma, beta] = [put(normals([2, 3, 3, 6], 1)), put(normals([6], 2)), put(normals([6], 4))]
    const [runningMean, runningVar] = [put(statistics), put(statistics)]
    const params = { training: false, momentum: 0.9, epsilon: 2e-5 }
    return { ...native.batchNorm2dForward(x, gamma, beta, runningMean, runningVar, params), runningMean, runningVar }
  }, place)
  expect(outputs.get('runningMean')).toEqual(Float32Array.from(statistics.data))
  expect(outputs.get('runningVar')).toEqual(Float32Array.from(statistics.data))
  expect(outputs.get('mean')).toEqual(Float32Array.from(statistics.data))
})
