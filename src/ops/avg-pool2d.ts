/** avgPool2d: the mean of windows. Checked in test/kernels/pool2d.test.ts and test/gradcheck. */
import { native, type Pool2dParams } from '../native.ts'
import { type FloatDType, handleOf } from '../tensor.ts'
import { expectOptions } from '../values.ts'
import type { Images } from './fits.ts'
import { record } from './record.ts'

/** The window of a pooling. */
export interface Pool2dOptions {
  /** Side of the square window. */
  kernel: number
  /** Step of the window. Default: the kernel. */
  stride?: number
  /** Border on all four sides, at most half of the kernel. Default: 0. */
  padding?: number
}

/** The options with their defaults filled in. @throws TypeError without any */
export function pool2dParams(op: string, options: Pool2dOptions): Pool2dParams {
  expectOptions(op, options)
  const { kernel, stride = kernel, padding = 0 } = options
  return { kernel, stride, padding }
}

/**
 * The mean over square windows; the padding counts as zeros.
 * @param x [N, H, W, C]
 * @returns [N, P, Q, C] with P = floor((H + 2 padding - kernel) / stride) + 1, Q likewise
 * @throws ShapeError, DTypeError, UnsupportedError, RangeError, TypeError
 */
export function avgPool2d<N extends number, C extends number, D extends FloatDType>(
  x: Images<N, number, number, C, D>,
  options: Pool2dOptions,
): Images<N, number, number, C, D> {
  const p = pool2dParams('avgPool2d', options)
  const { kernel, stride, padding } = p
  const xh = handleOf('avgPool2d', 'x', x)
  const { shape } = x
  return record('avgPool2d', [x], native.avgPool2dForward(xh, p), {}, dy => [
    native.avgPool2dBackwardInput(dy, { kernel, stride, padding, shape }),
  ])
}
