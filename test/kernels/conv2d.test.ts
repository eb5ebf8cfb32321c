/** conv2d: `cpu` gives the numbers of `reference`, in all three directions, over test/shapes/conv2d.json. */
import { describe, it } from 'vitest'
import { conv2dShapes } from '../shapes/shapes.ts'
import { expectExact } from '../support/kernel-compare.ts'
import { conv2dKernel } from './convolution-kernels.ts'

for (const why of new Set(conv2dShapes.map(shape => shape.why))) {
  describe(`conv2d, ${why}`, () => {
    it.each(conv2dShapes.filter(shape => shape.why === why))('$name', shape => {
      return expectExact(conv2dKernel(shape))
    })
  })
}
