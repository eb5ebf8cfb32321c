/** linear: y = x w^T + b. Checked in test/kernels/linear.test.ts, test/gradcheck, test/golden. */
import { native } from '../native.ts'
import type { FloatDType, Tensor } from '../tensor.ts'
import type { Fits } from './fits.ts'
import { at, record } from './record.ts'

/**
 * The fully connected layer.
 * @param x [N, C]
 * @param w [K, C]
 * @param b [K], or nothing
 * @returns [N, K]
 * @throws ShapeError, DTypeError, DeviceError
 */
export function linear<N extends number, C extends number, K extends number, I extends number, D extends FloatDType>(
  x: Tensor<readonly [N, C], D>,
  w: Tensor<readonly [K, I], NoInfer<D>> & Fits<C, I>,
  b?: Tensor<readonly [NoInfer<K>], NoInfer<D>>,
): Tensor<readonly [N, K], D> {
  const [xh, wh] = [x.handle, (w as Tensor).handle]
  const y = native.linearForward(xh, wh, b?.handle)
  const inputs = b === undefined ? [x, w] : [x, w, b]
  return record('linear', inputs, y, { shared: [xh, wh] }, (dy, saved, needs) => {
    const dx = needs[0] ? native.linearBackwardInput(dy, at(saved, 1)) : undefined
    const dw = needs[1] ? native.linearBackwardWeight(dy, at(saved, 0)) : undefined
    return b === undefined ? [dx, dw] : [dx, dw, needs[2] ? native.linearBackwardBias(dy) : undefined]
  })
}
