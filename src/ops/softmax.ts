/** softmax over the last dimension. Checked in test/kernels/softmax.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import type { FloatDType, Shape, Tensor } from '../tensor.ts'
import { at, record } from './record.ts'

/** exp(x) / sum of exp(x) over the last dimension, with the maximum subtracted first. f32 or f64. */
export function softmax<S extends Shape, D extends FloatDType>(x: Tensor<S, D>): Tensor<S, D> {
  const y = native.softmaxForward(x.handle)
  return record('softmax', [x], y, { shared: [y] }, (dy, saved) => [native.softmaxBackwardInput(dy, at(saved, 0))])
}
