/** batchNorm2d: batch normalisation. Checked in test/kernels/batch-norm2d.test.ts, test/gradcheck, test/golden. */
import { DeferredNorm, NormGradient, SummedGradient } from '../deferred.ts'
import { type BatchNorm2dParams, type NativeTensor, native } from '../native.ts'
import { type FloatDType, handleOf, type ParameterOf, type Shape, type Tensor } from '../tensor.ts'
import { expectOptions } from '../values.ts'
import type { FitsTensor, FloatMatrix, FloatTensor, FloatVector } from './fits.ts'
import { at, record, type SavedTensors } from './record.ts'

/** How batch norm normalises. */
export interface BatchNorm2dOptions {
  /** Normalise with the statistics of the batch and update the running ones. */
  training: boolean
  /** Share of the old value in the running statistics, as in MXNet. Default: 0.9. */
  momentum?: number
  /** Added to the variance. Default: 2e-5, the authors'. */
  epsilon?: number
}

type Last<S extends Shape> = S extends readonly [...unknown[], infer C extends number] ? C : number
type Channels<S extends Shape, D extends FloatDType, T extends FloatVector> = T &
  FitsTensor<readonly [Last<S>], ParameterOf<D>, T>

/**
 * Normalises every channel (the last dimension, of size C) to mean 0 and variance 1, then scales and shifts it.
 * The running variance is the biased one, as in MXNet (PyTorch's is unbiased).
 * @param x [.., C]; all the others are f32 beside bf16 and f16
 * @param gamma scale [C]
 * @param beta shift [C]
 * @param runningMean [C], updated in place in training, used otherwise
 * @param runningVar [C], likewise
 * @throws ShapeError (an empty batch in training too), DTypeError, DeviceError, UnsupportedError, RangeError
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
  const norm = prepareNorm(x, gamma, beta, runningMean, runningVar, options)
  const y = native.batchNorm2dApply(x.handle, norm, { relu: false })
  return recordNorm<S, D>(x, gamma, beta, norm, y, { training: options.training, relu: false })
}

/**
 * @internal batchNorm2d, and a ReLU behind it when `relu`, that is not carried out before someone needs the result in
 * memory: igcBlock, conv2d and addRelu apply it as they read. Nobody may write into x after this.
 * @param options.statistics of x [2, C], where they are known; in training only
 */
export function deferredBatchNorm2d<S extends Shape>(
  x: Tensor<S, FloatDType>,
  gamma: FloatVector,
  beta: FloatVector,
  runningMean: FloatVector,
  runningVar: FloatVector,
  options: BatchNorm2dOptions & { relu: boolean; statistics?: FloatMatrix | undefined },
): Tensor<S, FloatDType> {
  const { training, relu } = options
  const rows = prepareNorm(x, gamma, beta, runningMean, runningVar, options)
  const share = (handle: NativeTensor) => native.tensorRetain(handle)
  const y = new DeferredNorm(share(x.handle), { rows: share(rows), relu })
  return recordNorm<S, FloatDType>(x, gamma, beta, rows, y, { training, relu })
}

/** @internal The norm [4, C] of x; in training the running statistics are updated. */
export function prepareNorm(
  x: FloatTensor,
  gamma: FloatVector,
  beta: FloatVector,
  runningMean: FloatVector,
  runningVar: FloatVector,
  options: BatchNorm2dOptions & { statistics?: FloatMatrix | undefined },
): NativeTensor {
  const op = 'batchNorm2d'
  expectOptions(op, options)
  const { training, momentum = 0.9, epsilon = 2e-5, statistics } = options
  const p: BatchNorm2dParams = { training, momentum, epsilon }
  const [xh, g, b] = [handleOf(op, 'x', x), handleOf(op, 'gamma', gamma), handleOf(op, 'beta', beta)]
  const [mean, variance] = [handleOf(op, 'runningMean', runningMean), handleOf(op, 'runningVar', runningVar)]
  if (!training || statistics) return native.batchNorm2dPrepare(xh, g, b, mean, variance, p, statistics?.handle)
  const made = native.batchNorm2dStatistics(xh)
  try {
    return native.batchNorm2dPrepare(xh, g, b, mean, variance, p, made)
  } finally {
    native.tensorDispose(made)
  }
}

/** Puts the op on the tape; takes `norm` and `y` over. The gradient of x is left to the rule that receives it. */
function recordNorm<S extends Shape, D extends FloatDType>(
  x: FloatTensor,
  gamma: FloatVector,
  beta: FloatVector,
  norm: NativeTensor,
  y: NativeTensor | DeferredNorm,
  { training, relu }: { training: boolean; relu: boolean },
): Tensor<S, D> {
  const share = (handle: NativeTensor) => native.tensorRetain(handle)
  const rule = (dy: NativeTensor | SummedGradient, saved: SavedTensors, needs: readonly boolean[]) => {
    const [x, rows] = [at(saved, 0), at(saved, 1)]
    const summed = dy instanceof SummedGradient ? dy : undefined
    const plain = summed === undefined ? (dy as NativeTensor) : summed.dy
    const { gamma, beta } = summed
      ? { gamma: share(summed.dgamma), beta: share(summed.dbeta) }
      : native.batchNorm2dBackwardWeight(plain, x, rows, { relu })
    const dx = needs[0]
      ? new NormGradient({
          dy: share(plain),
          x: share(x),
          norm: { rows: share(rows), relu },
          dgamma: share(gamma),
          dbeta: share(beta),
          training,
        })
      : undefined
    if (!needs[1]) native.tensorDispose(gamma)
    if (!needs[2]) native.tensorDispose(beta)
    return [dx, needs[1] ? gamma : undefined, needs[2] ? beta : undefined]
  }
  const saved = { shared: [x.handle], owned: [norm] }
  return record<S, D, SummedGradient>('batchNorm2d', [x, gamma, beta], y, saved, rule, SummedGradient)
}
