/** On integers every number of threads of `cpu` gives the numbers of `reference`; in general each gives the same bits again. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { batchNorm2dShapes, conv2dShapes, igcBlockShapes } from '../shapes/shapes.ts'
import { expectExact, type Kernel, normals, runKernel } from '../support/kernel-compare.ts'
import { batchNorm2dKernel } from './batch-norm2d-kernel.ts'
import { conv2dKernel, igcBlockKernel } from './convolution-kernels.ts'

const chosen = ({ why, name }: { why: string; name: string }) =>
  why === 'edge' || why.includes('resnet') || /^weight-gradient|^groups-24-by-3-/.test(name)

const block = { why: 'edge', R: 3, S: 3, stride: 1, padding: 1 }
const MANY_IMAGES = [
  { ...block, name: '43 images', N: 43, H: 3, W: 4, C: 48, K: 48, L: 24, M: 2 }, // 20 blocks
  { ...block, name: '131 images', N: 131, H: 8, W: 7, C: 4, K: 4, L: 2, M: 2 }, // 64
]

describe.each([1, 3, 7])('%i threads', threads => {
  it.each(conv2dShapes.filter(chosen))('conv2d $name', shape => {
    native.deviceSetThreads('cpu', { threads })
    return expectExact(conv2dKernel(shape))
  })

  it.each(igcBlockShapes.filter(chosen))('igcBlock $name', shape => {
    native.deviceSetThreads('cpu', { threads })
    return expectExact(igcBlockKernel(shape))
  })

  // Enough work in the forward direction for several threads; the shapes above have them backward only.
  const large = { why: 'edge', N: 9, H: 20, W: 21, C: 48, K: 48, R: 3, S: 3, stride: 1, padding: 1, L: 24, M: 2 }
  it('igcBlock with work for all of them', () => {
    native.deviceSetThreads('cpu', { threads })
    return expectExact(igcBlockKernel({ ...large, name: 'large' }))
  })

  // Small blocks at the ends of both halves of the batch (first_band() in native/cpu/group_conv_backward.cc).
  it.each(MANY_IMAGES)('igcBlock with $name', shape => {
    native.deviceSetThreads('cpu', { threads })
    return expectExact(igcBlockKernel(shape))
  })

  it('repeats its bits', () => {
    native.deviceSetThreads('cpu', { threads })
    const kernels = batchNorm2dShapes.filter(({ name }) => /^stage|^channels-(17|64)/.test(name))
    for (const kernel of [...kernels.map(shape => batchNorm2dKernel(shape, true)), weightGradient]) {
      const [first, second] = [bits(kernel), bits(kernel)]
      expect(first).toEqual(second)
    }
  })
})

it.each(MANY_IMAGES)('weight gradients of $name have the same bits for every number of threads', shape => {
  const [one, ...others] = [1, 2, 3, 7].map(threads => {
    native.deviceSetThreads('cpu', { threads })
    return bits(weightGradientOf(shape.N, shape.H))
  })
  for (const other of others) expect(other).toEqual(one)
})

/** Of a grouped convolution, on numbers whose sums round. */
const weightGradientOf = (N: number, size: number): Kernel => {
  const params = { stride: 1, padding: 1, groups: 24, shape: [48, 3, 3, 2] }
  const map = [N, size, size, 48]
  return put => ({ dw: native.conv2dBackwardWeight(put(normals(map, 1)), put(normals(map, 2)), params) })
}
const weightGradient = weightGradientOf(4, 32)

/** A digest of every output. */
function bits(kernel: Kernel): string[] {
  const outputs = [...runKernel(kernel, { device: 'cpu', dtype: 'f32' }).values()]
  return outputs.map(({ buffer }) => createHash('sha256').update(new Uint8Array(buffer)).digest('hex'))
}
