/** relu: y = max(x, 0). Checked in test/kernels/elementwise.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import { type FloatDType, handleOf, type Shape, type Tensor } from '../tensor.ts'
import { at, record } from './record.ts'

/** max(x, 0) for every element; the gradient at 0 is 0. Any shape. @throws DTypeError, UnsupportedError */
export function relu<S extends Shape, D extends FloatDType>(x: Tensor<S, D>): Tensor<S, D> {
  const y = native.reluForward(handleOf('relu', 'x', x))
  return record('relu', [x], y, { shared: [y] }, (dy, saved) => [native.reluBackwardInput(dy, at(saved, 0))])
}
