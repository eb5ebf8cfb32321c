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

  it('repeats its bits', () => {
    native.deviceSetThreads('cpu', { threads })
    const kernels = batchNorm2dShapes.filter(({ name }) => /^stage|^channels-(17|64)/.test(name))
    for (const kernel of [...kernels.map(shape => batchNorm2dKernel(shape, true)), weightGradient]) {
      const [first, second] = [bits(kernel), bits(kernel)]
      expect(first).toEqual(second)
    }
  })
})

/** Of a grouped convolution, on numbers whose sums round. */
const weightGradient: Kernel = put => {
  const params = { stride: 1, padding: 1, groups: 24, shape: [48, 3, 3, 2] }
  return { dw: native.conv2dBackwardWeight(put(normals([4, 32, 32, 48], 1)), put(normals([4, 32, 32, 48], 2)), params) }
}

/** A digest of every output. */
function bits(kernel: Kernel): string[] {
  const outputs = [...runKernel(kernel, { device: 'cpu', dtype: 'f32' }).values()]
  return outputs.map(({ buffer }) => createHash('sha256').update(new Uint8Array(buffer)).digest('hex'))
}
