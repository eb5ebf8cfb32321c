/**
 * conv2d between norms, applied to x and carried out for dy: `cpu` gives the numbers of `reference`, which composes them,
 * over test/shapes/conv2d.json.
 */
import { describe, it } from 'vitest'
import { conv2dShapes } from '../shapes/shapes.ts'
import { expectClose, expectExact } from '../support/kernel-compare.ts'
import { normedConv2dKernel, normedConv2dShapes } from './convolution-kernels.ts'

const SAMPLE = conv2dShapes.filter(({ why }) => why === 'edge' || why === 'tail' || why === 'dense and large')

// Every norm that is possible before and behind it; sums that round come from other numbers than the exact ones.
const inference = { yTraining: false }
describe.each([
  { xRelu: true, yRelu: true, ...inference },
  { xRelu: false, yRelu: false, ...inference },
])('conv2d between norms, x with ReLU $xRelu, y with ReLU $yRelu', norms => {
  it.each(norms.xRelu ? normedConv2dShapes : SAMPLE)('$name', shape =>
    expectExact(normedConv2dKernel(shape, norms, true)),
  )
})

const image = { why: 'edge', H: 32, W: 32, R: 3, S: 3, stride: 1, padding: 1 }
/** More than 4 MiB of outputs, which `cpu` writes past the caches (native/cpu/streams.h). */
const LARGE = [
  { ...image, name: 'large stem', N: 22, C: 3, K: 48, groups: 1 },
  { ...image, name: 'large, 3 to 5 channels a group', N: 13, C: 48, K: 80, groups: 16 },
]

describe('conv2d between norms in training', () => {
  const norms = { xRelu: true, yRelu: false, yTraining: true } // behind a ReLU one rounding may flip a whole value of y
  it.each([...conv2dShapes.filter(({ N, why }) => N > 0 && why !== 'groups'), ...LARGE])('$name', shape => {
    // Sums of n random numbers of size 1 pass through values of about sqrt(n). dx has a deviation of sqrt(K/C) at most, since the
    // weights keep y near 1; the rest is room for the roundings of its many terms, which the norm's sums add up.
    const { N, H, W, C, K, groups } = shape
    const pixels = Math.sqrt(N * H * W)
    const dx = 8 * Math.sqrt((K * groups) / C)
    const sum = 8 * pixels * Math.max(1, Math.sqrt((K * groups) / C))
    const inputs = { dx, overDx: dx, throughDx: dx, throughDxAlone: dx, plainDx: dx, bareDx: dx, dxAlone: dx }
    const through = { throughDgamma: sum, throughDbeta: sum, throughDw: pixels }
    const sums = {
      ...through,
      dgamma: sum,
      dbeta: sum,
      overDgamma: sum,
      overDbeta: sum,
      plainDgamma: sum,
      plainDbeta: sum,
    }
    const weights = { dw: pixels, overDw: pixels, plainDw: pixels, bareDw: pixels, dwAlone: pixels }
    const statistics = 4 // those of y, which rounds first
    return expectClose(normedConv2dKernel(shape, norms, false), { ...inputs, ...sums, ...weights, statistics })
  })
})
