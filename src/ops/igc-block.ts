/**
 * igcBlock: the interleaved group convolution as one op. Checked in test/kernels/igc-block.test.ts (against its
 * four-op composition and the dense convolution with the composite kernel), test/gradcheck, test/golden.
 */
import { type IgcBlockParams, native } from '../native.ts'
import type { FloatDType } from '../tensor.ts'
import type { Fits, FitsGroups, FitsTensor, Images } from './fits.ts'
import { at, record } from './record.ts'

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
 * @param secondaryWeight [K, 1, 1, K/M]
 * @returns [N, P, Q, K], sizes as of `conv2d`
 * @throws ShapeError, DTypeError, DeviceError
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
  primaryWeight: P & Fits<D, P['dtype']> & FitsGroups<C, P['shape'][3], L>,
  secondaryWeight: S &
    FitsTensor<readonly [P['shape'][0], 1, 1, number], D, S> &
    FitsGroups<P['shape'][0], S['shape'][3], M>,
  options: IgcBlockOptions<L, M>,
): Images<N, number, number, P['shape'][0], D> {
  const { primaryPartitions, secondaryPartitions, stride = 1, padding = 0 } = options
  const p: IgcBlockParams = { primaryPartitions, secondaryPartitions, stride, padding }
  const [xh, wp, ws] = [x.handle, primaryWeight.handle, secondaryWeight.handle]
  const { z, y } = native.igcBlockForward(xh, wp, ws, p)
  const [shape, primaryShape, secondaryShape] = [x.shape, primaryWeight.shape, secondaryWeight.shape]
  return record(
    'igcBlock',
    [x, primaryWeight, secondaryWeight],
    y,
    { shared: [xh, wp, ws], owned: [z] },
    (dy, saved, needs) => {
      const needsInput = needs[0] === true
      // Literals, not { ...p }: a spread makes V8 leave a hidden class behind, megabytes of them in a long training loop.
      const inputParams = { primaryPartitions, secondaryPartitions, stride, padding, shape, needsInput }
      const weightParams = { primaryPartitions, secondaryPartitions, stride, padding, primaryShape, secondaryShape }
      const { dz, dx } = native.igcBlockBackwardInput(dy, at(saved, 1), at(saved, 2), inputParams)
      const weights =
        needs[1] || needs[2]
          ? native.igcBlockBackwardWeight(dy, dz, at(saved, 0), at(saved, 3), weightParams)
          : undefined
      native.tensorDispose(dz)
      if (weights && !needs[1]) native.tensorDispose(weights.primary)
      if (weights && !needs[2]) native.tensorDispose(weights.secondary)
      return [dx, needs[1] ? weights?.primary : undefined, needs[2] ? weights?.secondary : undefined]
    },
  )
}
