/** relu: y = max(x, 0). Checked in test/kernels/elementwise.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import type { FloatDType, Shape, Tensor } from '../tensor.ts'
import { at, record } from './record.ts'

/** max(x, 0) for every element; the gradient at 0 is 0. Any shape, f32 or f64. */
export function relu<S extends Shape, D extends FloatDType>(x: Tensor<S, D>): Tensor<S, D> {
  const y = native.reluForward(x.handle)
  return record('relu', [x], y, { shared: [y] }, (dy, saved) => [native.reluBackwardInput(dy, at(saved, 0))])
}
