/**
 * conv2d: `cpu` gives the numbers of `reference`, in all three directions, over test/shapes/conv2d.json; between norms too
 * (applied to x, carried out for dy), and with one behind it, which `reference` composes.
 */
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { type Conv2dShape, conv2dShapes } from '../shapes/shapes.ts'
import { DEVICE, expectClose, expectExact } from '../support/kernel-compare.ts'
import { conv2dKernel, conv2dNormKernel, normedConv2dKernel } from './convolution-kernels.ts'

for (const why of new Set(conv2dShapes.map(shape => shape.why))) {
  describe(`conv2d, ${why}`, () => {
    it.each(conv2dShapes.filter(shape => shape.why === why))('$name', shape => {
      return expectExact(conv2dKernel(shape))
    })
  })
}

/** Of the long list every width with three numbers of groups. */
const quick = ({ why, groups }: Conv2dShape) => why !== 'groups' || [1, 3, 24].includes(groups)
const SAMPLE = conv2dShapes.filter(({ why }) => why === 'edge' || why === 'tail' || why === 'dense and large')

// Every norm that is possible before and behind it; sums that round come from other numbers than the exact ones.
const inference = { yTraining: false }
describe.each([
  { xRelu: true, yRelu: true, ...inference },
  { xRelu: false, yRelu: false, ...inference },
])('conv2d between norms, x with ReLU $xRelu, y with ReLU $yRelu', norms => {
  // Behind both ReLUs the exception leaves too few gradients that are not 0.
  const dense = conv2dShapes.filter(quick).filter(({ name }) => name !== 'dense-33-to-3-stride-2-kernel-1')
  it.each(norms.xRelu ? dense : SAMPLE)('$name', shape => expectExact(normedConv2dKernel(shape, norms, true)))
})

describe('conv2d between norms in training', () => {
  const norms = { xRelu: true, yRelu: false, yTraining: true } // behind a ReLU one rounding may flip a whole value of y
  it.each(conv2dShapes.filter(({ N, why }) => N > 0 && why !== 'groups'))('$name', shape => {
    // Sums of n random numbers of size 1 pass through values of about sqrt(n), and those with x - mean, up to 4, are larger.
    const { N, H, W, C, K, groups } = shape
    const pixels = Math.sqrt(N * H * W)
    const dx = 8 * Math.sqrt((K * groups) / C) // the weights are of a size that keeps y near 1
    const sum = 4 * pixels * Math.max(1, Math.sqrt((K * groups) / C))
    const inputs = { dx, plainDx: dx, bareDx: dx, dxAlone: dx }
    const sums = { dgamma: sum, dbeta: sum, plainDgamma: sum, plainDbeta: sum }
    const weights = { dw: pixels, plainDw: pixels, bareDw: pixels, dwAlone: pixels }
    return expectClose(normedConv2dKernel(shape, norms, false), { ...inputs, ...sums, ...weights })
  })
})

describe('conv2d with a norm behind it', () => {
  const LARGEST = 8 // of a y before its ReLU, about
  for (const relu of [false, true]) {
    it.each(conv2dShapes.filter(quick))(`${relu ? 'and a ReLU ' : ''}$name`, shape => {
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
