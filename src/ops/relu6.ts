/** relu6: y = min(max(x, 0), 6). Checked in test/kernels/elementwise.test.ts, test/gradcheck and test/golden. */
import { native } from '../native.ts'
import { type FloatDType, handleOf, type Shape, type Tensor } from '../tensor.ts'
import { at, record } from './record.ts'

/** min(max(x, 0), 6) for every element; the gradient at 0 and at 6 is 0. Any shape. @throws DTypeError, UnsupportedError */
export function relu6<S extends Shape, D extends FloatDType>(x: Tensor<S, D>): Tensor<S, D> {
  const y = native.relu6Forward(handleOf('relu6', 'x', x))
  return record('relu6', [x], y, { shared: [y] }, (dy, saved) => [native.relu6BackwardInput(dy, at(saved, 0))])
}
