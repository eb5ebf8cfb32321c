/** sgdStep: one step of stochastic gradient descent, in place. Checked in test/kernels/sgd-step.test.ts, test/golden. */
import { native, type SgdParams } from '../native.ts'
import type { Tensor } from '../tensor.ts'

/**
 * `d = g + weightDecay w; v = momentum v + d; w -= lr (nesterov ? d + momentum v : v)`, updating w and v in place.
 * All of one shape, dtype and device.
 * @throws ShapeError, DTypeError, DeviceError, RangeError
 */
export function sgdStep(g: Tensor, w: Tensor, v: Tensor, params: SgdParams): void {
  native.sgdStep(g.handle, w.handle, v.handle, params)
}
