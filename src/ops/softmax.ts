/** softmax over the last dimension. Checked in test/kernels/softmax.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import type { FloatDType, ParameterOf, Shape, Tensor } from '../tensor.ts'
import { at, record } from './record.ts'
import { widened } from './widened.ts'

/**
 * exp(x) / sum of exp(x) over the last dimension, with the maximum subtracted first. Of bf16 and f16 the result is f32.
 * @throws ShapeError for a scalar, DTypeError, UnsupportedError
 */
export function softmax<S extends Shape, D extends FloatDType>(x: Tensor<S, D>): Tensor<S, ParameterOf<D>> {
  const input = widened('softmax', 'x', x)
  const y = native.softmaxForward(input.handle)
  return record('softmax', [input], y, { shared: [y] }, (dy, saved) => [native.softmaxBackwardInput(dy, at(saved, 0))])
}
