/** globalAvgPool2d: the mean over the whole map. Checked in test/kernels/pool2d.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import { type FloatDType, handleOf, type Tensor } from '../tensor.ts'
import type { Images } from './fits.ts'
import { record } from './record.ts'

/**
 * The mean of every channel over height and width: [N, H, W, C] to [N, C].
 * @throws ShapeError, DTypeError, UnsupportedError
 */
export function globalAvgPool2d<N extends number, C extends number, D extends FloatDType>(
  x: Images<N, number, number, C, D>,
): Tensor<readonly [N, C], D> {
  const xh = handleOf('globalAvgPool2d', 'x', x)
  const { shape } = x
  return record('globalAvgPool2d', [x], native.globalAvgPool2dForward(xh), {}, dy => [
    native.globalAvgPool2dBackwardInput(dy, { shape }),
  ])
}
