/** dropout: elements set to zero at random. Checked in test/kernels/dropout.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import { type FloatDType, handleOf, type Shape, type Tensor } from '../tensor.ts'
import { expectOptions } from '../values.ts'
import { record } from './record.ts'

/** Which elements fall. */
export interface DropoutOptions {
  /** The share of elements that becomes 0: from 0 to below 1. */
  rate: number
  /** Which stream of random numbers decides: a whole number from 0 to 2^53 - 1. Default: 0. */
  seed?: number
  /** Where in the stream to begin, in pairs of elements; likewise. Default: 0. */
  offset?: number
}

/**
 * Sets elements to zero with probability `rate` and multiplies the others by 1 / (1 - rate). Seed and offset alone decide
 * which: the same ones on every device, in every run, and in the backward direction, which needs nothing saved.
 * @throws RangeError, DTypeError, UnsupportedError
 */
export function dropout<S extends Shape, D extends FloatDType>(x: Tensor<S, D>, options: DropoutOptions): Tensor<S, D> {
  expectOptions('dropout', options)
  const { rate, seed = 0, offset = 0 } = options
  const p = { rate, seed, offset }
  return record('dropout', [x], native.dropoutForward(handleOf('dropout', 'x', x), p), {}, dy => [
    native.dropoutBackwardInput(dy, p),
  ])
}
