/**
 * igcBlock: the interleaved group convolution as one op. Checked in test/kernels/igc-block.test.ts (against its
 * four-op composition and the dense convolution with the composite kernel), test/gradcheck, test/golden; with the batch
 * norms around it in test/gradcheck/deferred.test.ts.
 */
import { isRecording } from '../autograd.ts'
import { inputGradient, NormGradient, type ReluSum } from '../deferred.ts'
import { type NativeTensor, native } from '../native.ts'
import { expectTensor, type FloatDType, handleOf, type ParameterOf, Tensor } from '../tensor.ts'
import { expectOptions } from '../values.ts'
import type { Fits, FitsGroups, FitsTensor, FloatMatrix, Images } from './fits.ts'
import { at, record, type SavedTensors } from './record.ts'

/** L, M, and the window of the primary convolution. */
export interface IgcBlockOptions<L extends number = number, M extends number = number> {
  /** L: groups of the primary convolution; divides C and K. */
  primaryPartitions: L
  /** M: groups of the secondary convolution; divides K. K = L * M in the paper. */
  secondaryPartitions: M
  /** Stride of the primary convolution. Default: 1. */
  stride?: number
  /** Zeros on all four sides of the primary convolution's input. Default: 0. */
  padding?: number
}

/**
 * Interleaved group convolution (Zhang et al. 2017, section 3): a spatial convolution in L groups, Reorder(L), a 1x1
 * convolution in M groups, Reorder(M); nothing between the two. When K = L*M the two permutations cancel and are never
 * carried out; for other M (the authors' `resnet_igc` where the width changes) they are.
 * @param x [N, H, W, C]
 * @param primaryWeight [K, R, S, C/L]
 * @param secondaryWeight [K, 1, 1, K/M]; both f32 beside bf16 and f16
 * @returns [N, P, Q, K], sizes as of `conv2d`
 * @throws ShapeError, DTypeError, DeviceError, UnsupportedError, RangeError, TypeError
 */
export function igcBlock<
  N extends number,
  C extends number,
  D extends FloatDType,
  P extends Images,
  S extends Images,
  L extends number,
  M extends number,
>(
  x: Images<N, number, number, C, D>,
  primaryWeight: P & Fits<ParameterOf<D>, P['dtype']> & FitsGroups<C, P['shape'][3], L>,
  secondaryWeight: S &
    FitsTensor<readonly [P['shape'][0], 1, 1, number], ParameterOf<D>, S> &
    FitsGroups<P['shape'][0], S['shape'][3], M>,
  options: IgcBlockOptions<L, M>,
): Images<N, number, number, P['shape'][0], D> {
  const { y } = convolve(x, primaryWeight, secondaryWeight, options, false)
  return y as Images<N, number, number, P['shape'][0], D>
}

/**
 * @internal igcBlock that also gives the statistics [2, K] (mean, biased variance) of its result, made without another
 * pass over it: for `deferredBatchNorm2d`.
 */
export function igcBlockWithStatistics(
  x: Images,
  primaryWeight: Images,
  secondaryWeight: Images,
  options: IgcBlockOptions,
): { y: Images; statistics: FloatMatrix } {
  const { y, statistics } = convolve(x, primaryWeight, secondaryWeight, options, true)
  return { y, statistics: statistics as FloatMatrix }
}

/** A norm that x waits for is applied by the op, and one that the gradient waits for is carried out by its rule. */
function convolve(x: Images, primary: Images, secondary: Images, options: IgcBlockOptions, needsStatistics: boolean) {
  expectTensor('igcBlock', 'x', x)
  expectOptions('igcBlock', options)
  const { primaryPartitions, secondaryPartitions, stride = 1, padding = 0 } = options
  const { deferred } = x
  const source = deferred?.source ?? x.handle
  const xRelu = deferred?.norm.relu ?? false
  const [wp, ws, xNorm] = [
    handleOf('igcBlock', 'primaryWeight', primary),
    handleOf('igcBlock', 'secondaryWeight', secondary),
    deferred?.norm.rows,
  ]
  const needsZ = isRecording() && secondary.edge !== undefined
  const forward = { primaryPartitions, secondaryPartitions, stride, padding, xRelu, needsStatistics, needsZ }
  const { y, statistics, z } = native.igcBlockForward(source, wp, ws, forward, xNorm)
  const shared = xNorm === undefined ? [source, wp, ws] : [source, wp, ws, xNorm]
  const rule = (
    dy: NativeTensor | NormGradient,
    saved: SavedTensors,
    [needsInput = false, needsPrimary = false, needsSecondary = false]: readonly boolean[],
    sum?: ReluSum,
  ) => {
    const behind = dy instanceof NormGradient ? dy : undefined
    const p = {
      // Not spread from other objects: that makes V8 leave a hidden class behind, megabytes in a long training loop.
      primaryPartitions,
      secondaryPartitions,
      stride,
      padding,
      xRelu,
      yRelu: behind?.norm.relu ?? false,
      yTraining: behind?.training ?? false,
      needsInput,
      needsPrimary,
      needsSecondary,
      overwriteDy: true, // the tape frees it behind the rule
    }
    const plain = behind === undefined ? (dy as NativeTensor) : behind.dy
    const [x, wp, ws] = [at(saved, 0), at(saved, 1), at(saved, 2)]
    const [norm, z] = xNorm === undefined ? [undefined, saved[3]] : [saved[3], saved[4]]
    const { norm: yNorm, x: y, dgamma, dbeta } = behind ?? {}
    const { more, side, sideNorm } = sum ?? {}
    const behindY = [yNorm?.rows, y, dgamma, dbeta] as const
    const d = native.igcBlockBackward(plain, x, wp, ws, p, norm, ...behindY, z, more, side, sideNorm)
    return [d.dx && inputGradient(d.dx, d.gamma, d.beta, sum), d.primary, d.secondary]
  }
  return {
    y: record<Images['shape'], FloatDType, NormGradient>(
      'igcBlock',
      [x, primary, secondary],
      y,
      { shared, owned: z === undefined ? [] : [z] },
      rule,
      NormGradient,
    ),
    statistics: statistics && new Tensor<readonly [number, number], FloatDType>(statistics),
  }
}
