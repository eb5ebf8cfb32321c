/**
 * What every instruction set that the kernels of `cpu` are compiled for must give: the numbers of `reference`. The
 * best one of the machine is tested over all shapes by the other files here; each lesser one by a file simd-*.test.ts,
 * which sets the environment before the addon loads (the choice counts for a process).
 */
import { describe, it } from 'vitest'
import { batchNorm2dShapes, fewerConv2dShapes, igcBlockShapes } from '../shapes/shapes.ts'
import { expectClose, expectExact } from '../support/kernel-compare.ts'
import { batchNorm2dKernel, sumMagnitudes } from './batch-norm2d-kernel.ts'
import {
  conv2dKernel,
  igcBlockKernel,
  normedConv2dKernel,
  normedConv2dShapes,
  normedIgcBlockKernel,
} from './convolution-kernels.ts'

export function testInstructionSet() {
  describe(`instruction set ${process.env.IGCNET_SIMD}`, () => {
    it.each(fewerConv2dShapes)('conv2d $name', shape => {
      return expectExact(conv2dKernel(shape))
    })
    it.each(normedConv2dShapes)('conv2d between norms $name', shape => {
      return expectExact(normedConv2dKernel(shape, { xRelu: true, yRelu: true, yTraining: false }, true))
    })
    it.each(igcBlockShapes)('igcBlock $name', shape => {
      return expectExact(igcBlockKernel(shape))
    })
    it.each(igcBlockShapes)('igcBlock between norms $name', shape => {
      return expectExact(normedIgcBlockKernel(shape, { xRelu: true, yRelu: true, yTraining: false }, true))
    })
    it.each(batchNorm2dShapes)('batchNorm2d $name', shape => {
      return expectClose(batchNorm2dKernel(shape, true), sumMagnitudes(shape))
    })
    it.each(batchNorm2dShapes)('batchNorm2d with ReLU $name', shape => {
      return expectClose(batchNorm2dKernel(shape, true, { relu: true }), sumMagnitudes(shape))
    })
  })
}
