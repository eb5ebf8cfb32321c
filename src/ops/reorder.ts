/** reorder: the authors' channel permutation. Checked in test/kernels/reorder.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import { type FloatDType, handleOf, type Shape, type Tensor } from '../tensor.ts'
import { expectOptions } from '../values.ts'
import { record } from './record.ts'

/**
 * Permutes the last dimension, of size C: `y[q*factor + p] = x[p*(C/factor) + q]`. Its inverse is `C/factor`.
 * The operator of the authors' MXNet code, the same as PyTorch's ChannelShuffle(factor).
 * @param options.factor a divisor of C
 * @throws DTypeError; UnsupportedError; RangeError for a factor that is no whole number above 0; ShapeError when C is not divisible by it
 */
export function reorder<S extends Shape, D extends FloatDType>(
  x: Tensor<S, D>,
  options: { factor: number },
): Tensor<S, D> {
  expectOptions('reorder', options)
  const p = { factor: options.factor }
  return record('reorder', [x], native.reorderForward(handleOf('reorder', 'x', x), p), {}, dy => [
    native.reorderBackwardInput(dy, p),
  ])
}
