/** The three directions of both convolutions on integers, for conv2d, igc-block, threads and simd tests. */
import { native } from '../../src/native.ts'
import type { Conv2dShape, IgcBlockShape } from '../shapes/shapes.ts'
import { integers, type Kernel } from '../support/kernel-compare.ts'

/** The output's height and width. */
function outputSize({ H, W, R, S, stride, padding }: Conv2dShape | IgcBlockShape): [number, number] {
  const size = (image: number, kernel: number) => Math.floor((image + 2 * padding - kernel) / stride) + 1
  return [size(H, R), size(W, S)]
}

export function conv2dKernel(shape: Conv2dShape): Kernel {
  const { N, H, W, C, K, R, S, stride, padding, groups } = shape
  const params = { stride, padding, groups }
  const xShape = [N, H, W, C]
  const wShape = [K, R, S, C / groups]
  return put => {
    const x = put(integers(xShape, 1))
    const w = put(integers(wShape, 2))
    const dy = put(integers([N, ...outputSize(shape), K], 3))
    return {
      y: native.conv2dForward(x, w, params),
      dx: native.conv2dBackwardInput(dy, w, { ...params, shape: xShape }),
      dw: native.conv2dBackwardWeight(dy, x, { ...params, shape: wShape }),
    }
  }
}

export function igcBlockKernel(shape: IgcBlockShape): Kernel {
  const { N, H, W, C, K, R, S, stride, padding, L, M } = shape
  const params = { primaryPartitions: L, secondaryPartitions: M, stride, padding }
  const xShape = [N, H, W, C]
  const primaryShape = [K, R, S, C / L]
  const secondaryShape = [K, 1, 1, K / M]
  return put => {
    const x = put(integers(xShape, 1))
    const primary = put(integers(primaryShape, 2))
    const secondary = put(integers(secondaryShape, 3))
    const dy = put(integers([N, ...outputSize(shape), K], 4))
    const { z, y } = native.igcBlockForward(x, primary, secondary, params)
    const inputParams = { ...params, shape: xShape }
    const gradients = native.igcBlockBackwardInput(dy, primary, secondary, { ...inputParams, needsInput: true })
    const without = native.igcBlockBackwardInput(dy, primary, secondary, { ...inputParams, needsInput: false })
    const weights = native.igcBlockBackwardWeight(dy, gradients.dz, x, z, { ...params, primaryShape, secondaryShape })
    if (gradients.dx === undefined) throw new Error('igcBlockBackwardInput: no dx')
    return {
      z,
      y,
      dz: gradients.dz,
      dx: gradients.dx,
      dzWithoutInput: without.dz,
      dPrimary: weights.primary,
      dSecondary: weights.secondary,
    }
  }
}
