/** crossEntropy: the loss. Checked in test/kernels/cross-entropy.test.ts, test/gradcheck, test/golden. */
import { native } from '../native.ts'
import { type FloatDType, handleOf, type ParameterOf, type Tensor } from '../tensor.ts'
import { expectOptions } from '../values.ts'
import type { Fits } from './fits.ts'
import { at, record } from './record.ts'
import { widened } from './widened.ts'

/** The target of the loss. */
export interface CrossEntropyOptions {
  /** Share of the target spread evenly over all classes, 0 to 1. Default: 0. */
  labelSmoothing?: number
}

/**
 * The mean over the batch of the cross-entropy between softmax(logits) and the labels.
 * @param logits [N, K]; the loss of bf16 and f16 is f32
 * @param labels [N], i32, 0 to K - 1
 * @returns a scalar, shape []
 * @throws ShapeError, DTypeError, DeviceError, UnsupportedError, RangeError; a label out of range is a DataError when the
 * result, or any other on the device, is next read: the loss is NaN then, and that example has no gradient
 */
export function crossEntropy<N extends number, B extends number, D extends FloatDType>(
  logits: Tensor<readonly [N, number], D>,
  labels: Tensor<readonly [B], 'i32'> & Fits<N, B>,
  options: CrossEntropyOptions = {},
): Tensor<readonly [], ParameterOf<D>> {
  expectOptions('crossEntropy', options)
  const p = { labelSmoothing: options.labelSmoothing ?? 0 }
  const labelHandle = handleOf('crossEntropy', 'labels', labels)
  const input = widened('crossEntropy', 'logits', logits)
  const { loss, probabilities } = native.crossEntropyForward(input.handle, labelHandle, p)
  const saved = { shared: [labelHandle], owned: [probabilities] }
  return record('crossEntropy', [input], loss, saved, (dy, s) => [
    native.crossEntropyBackwardInput(dy, at(s, 1), at(s, 0), p),
  ])
}
