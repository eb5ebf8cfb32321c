/** relu6: y = min(max(x, 0), 6). Checked in test/kernels/elementwise.test.ts, test/gradcheck and test/golden. */
import { native } from '../native.ts'
import type { FloatDType, Shape, Tensor } from '../tensor.ts'
import { at, record } from './record.ts'

/** min(max(x, 0), 6) for every element; the gradient at 0 and at 6 is 0. Any shape, f32 or f64. */
export function relu6<S extends Shape, D extends FloatDType>(x: Tensor<S, D>): Tensor<S, D> {
  const y = native.relu6Forward(x.handle)
  return record('relu6', [x], y, { shared: [y] }, (dy, saved) => [native.relu6BackwardInput(dy, at(saved, 0))])
}
