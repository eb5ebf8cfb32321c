/** maxPool2d: the maximum of windows. Checked in test/kernels/pool2d.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import { type FloatDType, handleOf } from '../tensor.ts'
import { type Pool2dOptions, pool2dParams } from './avg-pool2d.ts'
import type { Images } from './fits.ts'
import { at, record } from './record.ts'

/**
 * The maximum over square windows; the padding never wins. Among equal values the first takes the gradient.
 * @param x [N, H, W, C]
 * @returns [N, P, Q, C], sizes as of `avgPool2d`
 * @throws ShapeError, DTypeError, UnsupportedError, RangeError, TypeError
 */
export function maxPool2d<N extends number, C extends number, D extends FloatDType>(
  x: Images<N, number, number, C, D>,
  options: Pool2dOptions,
): Images<N, number, number, C, D> {
  const p = pool2dParams('maxPool2d', options)
  const xh = handleOf('maxPool2d', 'x', x)
  const y = native.maxPool2dForward(xh, p)
  return record('maxPool2d', [x], y, { shared: [xh] }, (dy, saved) => [
    native.maxPool2dBackwardInput(dy, at(saved, 0), p),
  ])
}
