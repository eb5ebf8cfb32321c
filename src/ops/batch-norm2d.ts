/** batchNorm2d: batch normalisation. Checked in test/kernels/batch-norm2d.test.ts, test/gradcheck, test/golden. */
import { type BatchNorm2dParams, native } from '../native.ts'
import type { FloatDType, Shape, Tensor } from '../tensor.ts'
import type { FitsTensor, FloatVector } from './fits.ts'
import { at, record } from './record.ts'

export interface BatchNorm2dOptions {
  /** Normalise with the statistics of the batch and update the running ones. */
  training: boolean
  /** Share of the old value in the running statistics, as in MXNet. Default: 0.9. */
  momentum?: number
  /** Added to the variance. Default: 2e-5, the authors'. */
  epsilon?: number
}

type Last<S extends Shape> = S extends readonly [...unknown[], infer C extends number] ? C : number
type Channels<S extends Shape, D extends FloatDType, T extends FloatVector> = T & FitsTensor<readonly [Last<S>], D, T>

/**
 * Normalises every channel (the last dimension, of size C) to mean 0 and variance 1, then scales and shifts it.
 * The running variance is the biased one, as in MXNet (PyTorch's is unbiased).
 * @param x [.., C]
 * @param gamma scale [C]
 * @param beta shift [C]
 * @param runningMean [C], updated in place in training, used otherwise
 * @param runningVar [C], likewise
 * @throws ShapeError (an empty batch in training too), DTypeError, DeviceError, RangeError
 */
export function batchNorm2d<
  S extends Shape,
  D extends FloatDType,
  G extends FloatVector,
  B extends FloatVector,
  M extends FloatVector,
  V extends FloatVector,
>(
  x: Tensor<S, D>,
  gamma: Channels<S, D, G>,
  beta: Channels<S, D, B>,
  runningMean: Channels<S, D, M>,
  runningVar: Channels<S, D, V>,
  options: BatchNorm2dOptions,
): Tensor<S, D> {
  const { training, momentum = 0.9, epsilon = 2e-5 } = options
  const p: BatchNorm2dParams = { training, momentum, epsilon }
  const [xh, g] = [x.handle, gamma.handle]
  const { y, mean, invStd } = native.batchNorm2dForward(xh, g, beta.handle, runningMean.handle, runningVar.handle, p)
  const saved = { shared: [xh, g], owned: [mean, invStd] }
  return record('batchNorm2d', [x, gamma, beta], y, saved, (dy, s, needs) => {
    const d = native.batchNorm2dBackwardWeight(dy, at(s, 0), at(s, 2), at(s, 3))
    const dx = needs[0]
      ? native.batchNorm2dBackwardInput(dy, at(s, 0), at(s, 1), at(s, 2), at(s, 3), d.gamma, d.beta, p)
      : undefined
    if (!needs[1]) native.tensorDispose(d.gamma)
    if (!needs[2]) native.tensorDispose(d.beta)
    return [dx, needs[1] ? d.gamma : undefined, needs[2] ? d.beta : undefined]
  })
}
