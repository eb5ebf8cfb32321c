/**
 * What every instruction set that the kernels of `cpu` are compiled for must give: the numbers of `reference`. The
 * best one of the machine is tested over all shapes by the other files here; each lesser one by a file simd-*.test.ts,
 * which sets IGCNET_SIMD before the addon loads (the choice counts for a process).
 */
import { describe, it } from 'vitest'
import { batchNorm2dShapes, type Conv2dShape, conv2dShapes, igcBlockShapes } from '../shapes/shapes.ts'
import { expectClose, expectExact } from '../support/kernel-compare.ts'
import { batchNorm2dKernel, sumMagnitudes } from './batch-norm2d-kernel.ts'
import { conv2dKernel, igcBlockKernel } from './convolution-kernels.ts'

/** Grouped (dense ones are oneDNN's), and of the long list every width with two numbers of groups. */
const quick = ({ why, groups }: Conv2dShape) => groups > 1 && (why !== 'groups' || groups === 3 || groups === 24)

export function testInstructionSet() {
  describe(`instruction set ${process.env.IGCNET_SIMD}`, () => {
    it.each(conv2dShapes.filter(quick))('conv2d $name', shape => {
      return expectExact(conv2dKernel(shape))
    })
    it.each(igcBlockShapes)('igcBlock $name', shape => {
      return expectExact(igcBlockKernel(shape))
    })
    it.each(batchNorm2dShapes)('batchNorm2d $name', shape => {
      return expectClose(batchNorm2dKernel(shape, true), sumMagnitudes(shape))
    })
  })
}
