/** conv2d: the (grouped) convolution. Checked in test/kernels/conv2d.test.ts, test/gradcheck, test/golden. */
import { isRecording } from '../autograd.ts'
import { type Conv2dParams, native } from '../native.ts'
import { type FloatDType, handleOf, type ParameterOf, Tensor } from '../tensor.ts'
import { prepareNorm } from './batch-norm2d.ts'
import type { Fits, FitsGroups, FloatVector, Images } from './fits.ts'
import { at, record } from './record.ts'

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
 * @throws ShapeError, DTypeError, DeviceError
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
  const { stride = 1, padding = 0, groups = 1 } = options as Conv2dOptions
  const p: Conv2dParams = { stride, padding, groups }
  const [xh, wh] = [handleOf('conv2d', 'x', x), handleOf('conv2d', 'w', w)]
  const y = native.conv2dForward(xh, wh, p)
  const [xShape, wShape] = [x.shape, w.shape]
  // Literals, not { ...p }: a spread makes V8 leave a hidden class behind, megabytes of them in a long training loop.
  return record('conv2d', [x, w], y, { shared: [w.edge && xh, x.edge && wh] }, (dy, saved, needs) => [
    needs[0] ? native.conv2dBackwardInput(dy, at(saved, 1), { stride, padding, groups, shape: xShape }) : undefined,
    needs[1] ? native.conv2dBackwardWeight(dy, at(saved, 0), { stride, padding, groups, shape: wShape }) : undefined,
  ])
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
