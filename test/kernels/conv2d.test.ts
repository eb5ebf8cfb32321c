/**
 * conv2d: `cpu` gives the numbers of `reference`, in all three directions, over test/shapes/conv2d.json, and with a norm
 * behind it, which `reference` composes.
 */
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { conv2dShapes, fewerConv2dShapes } from '../shapes/shapes.ts'
import { DEVICE, expectClose, expectExact } from '../support/kernel-compare.ts'
import { conv2dKernel, conv2dNormKernel } from './convolution-kernels.ts'

for (const why of new Set(conv2dShapes.map(shape => shape.why))) {
  describe(`conv2d, ${why}`, () => {
    it.each(conv2dShapes.filter(shape => shape.why === why))('$name', shape => {
      return expectExact(conv2dKernel(shape))
    })
  })
}

describe('conv2d with a norm behind it', () => {
  const LARGEST = 8 // of a y before its ReLU, about
  for (const relu of [false, true]) {
    it.each(fewerConv2dShapes)(`${relu ? 'and a ReLU ' : ''}$name`, shape => {
      return expectClose(conv2dNormKernel(shape, relu), { y: LARGEST })
    })
  }

  it.each([1, 2])('keeps a NaN from its ReLU: %s groups', groups => {
    const put = (shape: number[], values: number[]) => {
      return native.tensorCreate({ device: DEVICE, dtype: 'f32', shape }, Float32Array.from(values))
    }
    const x = put([1, 1, 2, 2], [Number.NaN, Number.NaN, -1, 1])
    const w = put([2, 1, 1, 2 / groups], groups === 1 ? [1, 1, 1, 0] : [1, 2])
    const norm = put([4, 2], [0, 0, 1, 1, 1, 1, 0, 0])
    const y = native.conv2dNormForward(x, w, norm, { stride: 1, padding: 0, groups, relu: true })
    const [a, b, c, d] = native.tensorReadSync(y)
    expect([a, b]).toEqual([Number.NaN, Number.NaN])
    expect(Math.abs(c as number)).toBeLessThan(1e-29) // of 0 or -1
    if (groups === 1) {
      expect(Math.abs(d as number)).toBeLessThan(1e-29) // of -1
    } else {
      expect(d).toBeCloseTo(2, 5)
    }
  })
})
