/** conv2d: the (grouped) convolution. Checked in test/kernels/conv2d*.test.ts, test/gradcheck, test/golden. */
import { isRecording } from '../autograd.ts'
import { inputGradient, NormGradient, type ReluSum } from '../deferred.ts'
import { type Conv2dParams, type NativeTensor, native } from '../native.ts'
import { expectTensor, type FloatDType, handleOf, type ParameterOf, Tensor } from '../tensor.ts'
import { expectOptions } from '../values.ts'
import { prepareNorm } from './batch-norm2d.ts'
import type { Fits, FitsGroups, FloatMatrix, FloatVector, Images } from './fits.ts'
import { at, type BackwardRule, record, type SavedTensors } from './record.ts'

/** The window of a convolution, and its groups. */
export interface Conv2dOptions<G extends number = number> {
  /** Step of the window in both directions. Default: 1. */
  stride?: number
  /** Zeros added on all four sides. Default: 0. */
  padding?: number
  /** Groups of channels that do not see each other; divides C and K. Default: 1. */
  groups?: G
}

/**
 * Cross-correlation of images with a weight, without bias.
 * @param x [N, H, W, C]
 * @param w [K, R, S, C/groups]: out-channels, kernel height and width, in-channels of a group; f32 beside bf16 and f16
 * @returns [N, P, Q, K] with P = floor((H + 2 padding - R) / stride) + 1, Q likewise
 * @throws ShapeError, DTypeError, DeviceError, UnsupportedError, RangeError
 */
export function conv2d<
  N extends number,
  C extends number,
  D extends FloatDType,
  W extends Images,
  G extends number = 1,
>(
  x: Images<N, number, number, C, D>,
  w: W & Fits<ParameterOf<D>, W['dtype']> & FitsGroups<C, W['shape'][3], G>,
  options: Conv2dOptions<G> = {},
): Images<N, number, number, W['shape'][0], D> {
  expectOptions('conv2d', options)
  return convolve(x, w, options as Conv2dOptions, false).y as Images<N, number, number, W['shape'][0], D>
}

/**
 * @internal conv2d that also gives the statistics [2, K] (mean, biased variance) of its result, where the device makes
 * them without another pass over it: for `deferredBatchNorm2d`.
 */
export function conv2dWithStatistics(
  x: Images,
  w: Images,
  options: Conv2dOptions,
): { y: Images; statistics?: FloatMatrix | undefined } {
  return convolve(x, w, options, true)
}

function convolve(x: Images, w: Images, options: Conv2dOptions, needsStatistics: boolean) {
  const { stride = 1, padding = 0, groups = 1 } = options
  const p: Conv2dParams = { stride, padding, groups }
  expectTensor('conv2d', 'x', x)
  const wh = handleOf('conv2d', 'w', w)
  if (native.conv2dFuses(x.deferred?.source ?? x.handle, wh, p)) return convolveFused(x, w, p, needsStatistics)
  const xh = x.handle
  const y = native.conv2dForward(xh, wh, p)
  const [xShape, wShape] = [x.shape, w.shape]
  // Literals, not { ...p }: a spread makes V8 leave a hidden class behind, megabytes of them in a long training loop.
  const rule: BackwardRule = (dy, saved, needs) => [
    needs[0] ? native.conv2dBackwardInput(dy, at(saved, 1), { stride, padding, groups, shape: xShape }) : undefined,
    needs[1] ? native.conv2dBackwardWeight(dy, at(saved, 0), { stride, padding, groups, shape: wShape }) : undefined,
  ]
  const shared = [w.edge && xh, x.edge && wh]
  return { y: record<Images['shape'], FloatDType>('conv2d', [x, w], y, { shared }, rule) }
}

/** A norm that x waits for is applied by the op, and one that the gradient waits for is carried out by its rule. */
function convolveFused(x: Images, w: Images, { stride, padding, groups }: Conv2dParams, needsStatistics: boolean) {
  const { deferred } = x
  const [xh, wh, xNorm] = [deferred?.source ?? x.handle, w.handle, deferred?.norm.rows]
  const xRelu = deferred?.norm.relu ?? false
  const forward = { stride, padding, groups, xRelu, needsStatistics }
  const { y, statistics } = native.conv2dFusedForward(xh, wh, forward, xNorm)
  const [xShape, wShape] = [x.shape, w.shape]
  const rule = (dy: NativeTensor | NormGradient, saved: SavedTensors, needs: readonly boolean[], sum?: ReluSum) => {
    const behind = dy instanceof NormGradient ? dy : undefined
    const p = {
      stride,
      padding,
      groups,
      xShape,
      wShape,
      xRelu,
      yRelu: behind?.norm.relu ?? false,
      yTraining: behind?.training ?? false,
      needsInput: needs[0] ?? false,
      needsWeight: needs[1] ?? false,
      overwriteDy: true, // the tape frees it behind the rule
    }
    const plain = behind === undefined ? (dy as NativeTensor) : behind.dy
    const { norm, x: y, dgamma, dbeta } = behind ?? {}
    const through = saved[0] === undefined ? undefined : sum
    const { more, side, sideNorm } = through ?? {}
    const behindY = [norm?.rows, y, dgamma, dbeta] as const
    const d = native.conv2dFusedBackward(plain, p, saved[0], saved[1], saved[2], ...behindY, more, side, sideNorm)
    return [d.dx && inputGradient(d.dx, d.gamma, d.beta, through), d.dw]
  }
  const shared = [w.edge || xNorm ? xh : undefined, x.edge && wh, xNorm]
  return {
    y: record<Images['shape'], FloatDType, NormGradient>('conv2d', [x, w], y, { shared }, rule, NormGradient),
    statistics: statistics && new Tensor<readonly [number, number], FloatDType>(statistics),
  }
}

/** @internal Of a batch norm: its parameters and running statistics [K], and the layer's epsilon. */
export interface InferenceNorm {
  readonly weight: FloatVector
  readonly bias: FloatVector
  readonly runningMean: FloatVector
  readonly runningVar: FloatVector
  readonly epsilon: number
}

/**
 * @internal conv2d, the batch norm of inference, and a ReLU if `relu`, as one piece of work: `cpu` folds the norm into the
 * weights of a dense convolution and a bias. Undefined where that spares nothing, and the norm is better left to who reads the
 * result, or where a tape asks for both ops by themselves.
 */
export function conv2dNorm(
  x: Images,
  w: Images,
  norm: InferenceNorm,
  options: Conv2dOptions & { relu: boolean },
): Images | undefined {
  const { stride = 1, padding = 0, groups = 1, relu } = options
  const p = { stride, padding, groups, relu }
  expectTensor('conv2d', 'x', x)
  if (isRecording() || !native.conv2dTakesNorm(x.handle, w.handle, p)) return undefined
  const { weight, bias, runningMean, runningVar, epsilon } = norm
  const channels = weight.reshape([1, weight.shape[0]]) // for the shape: in inference a norm does not look at its input
  const rows = prepareNorm(channels, weight, bias, runningMean, runningVar, { training: false, epsilon })
  try {
    return new Tensor(native.conv2dNormForward(x.handle, w.handle, rows, p))
  } finally {
    native.tensorDispose(rows)
  }
}
