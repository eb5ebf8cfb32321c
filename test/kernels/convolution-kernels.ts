/** The three directions of both convolutions on integers, for conv2d, igc-block, threads and simd tests. */
import { type NativeTensor, native } from '../../src/native.ts'
import { type Conv2dShape, fewerConv2dShapes, type IgcBlockShape } from '../shapes/shapes.ts'
import { integers, type Kernel, normals, type Values } from '../support/kernel-compare.ts'

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

/** The convolution with a norm behind it, on normally distributed numbers; y is near 1. */
export function conv2dNormKernel(shape: Conv2dShape, relu: boolean): Kernel {
  const { N, H, W, C, K, R, S, stride, padding, groups } = shape
  const inputs = (R * S * C) / groups
  return put => {
    const x = put(normals([N, H, W, C], 1))
    const w = put(normals([K, R, S, C / groups], 2, 0, 1 / Math.sqrt(inputs)))
    const norm = put(normValues(K, 3, false))
    return { y: native.conv2dNormForward(x, w, norm, { stride, padding, groups, relu }) }
  }
}

/** Those of which two ReLUs leave enough gradients that are not 0. */
export const normedConv2dShapes = fewerConv2dShapes.filter(({ name }) => name !== 'dense-33-to-3-stride-2-kernel-1')

/** The convolution with batch norm on both sides, numbers as of normedIgcBlockKernel. */
export function normedConv2dKernel(shape: Conv2dShape, { xRelu, yRelu, yTraining }: Norms, exact: boolean): Kernel {
  const { N, H, W, C, K, R, S, stride, padding, groups } = shape
  const [xShape, wShape] = [
    [N, H, W, C],
    [K, R, S, C / groups],
  ]
  const params = { stride, padding, groups, xShape, wShape, xRelu, yRelu, yTraining }
  const values = exact ? integers : normals
  return put => {
    const x = put(values(xShape, 1))
    const w = put(exact ? integers(wShape, 2) : normals(wShape, 2, 0, 1 / Math.sqrt((R * S * C) / groups)))
    const dy = put(values([N, ...outputSize(shape), K], 3))
    const [xNorm, yNorm] = [put(normValues(C, 5, exact)), put(normValues(K, 6, exact))]
    const [dgamma, dbeta] = [put(values([K], 7)), put(values([K], 8))]
    const { y, statistics } = native.conv2dFusedForward(x, w, { ...params, needsStatistics: true }, xNorm)
    const both = { ...params, needsInput: true, needsWeight: true, overwriteDy: false }
    const d = native.conv2dFusedBackward(dy, both, x, w, xNorm, yNorm, y, dgamma, dbeta)
    const plain = native.conv2dFusedBackward(dy, both, x, w, xNorm)
    const bare = native.conv2dFusedBackward(dy, both, x, w)
    const [spare, over] = [put(values([N, ...outputSize(shape), K], 3)), { ...both, overwriteDy: true }]
    const inPlace = native.conv2dFusedBackward(spare, over, x, w, xNorm, yNorm, y, dgamma, dbeta)
    const sum = [put(values(xShape, 9)), put(values(xShape, 10)), put(normValues(C, 11, exact))] as const
    const behindY = [undefined, yNorm, y, dgamma, dbeta] as const
    const through = native.conv2dFusedBackward(dy, both, x, w, ...behindY, ...sum)
    const throughInput = native.conv2dFusedBackward(dy, { ...both, needsWeight: false }, x, w, ...behindY, sum[0])
    const input = native.conv2dFusedBackward(dy, { ...both, needsWeight: false }, undefined, w)
    const weight = native.conv2dFusedBackward(dy, { ...both, needsInput: false }, x)
    const outputs = {
      y,
      bareY: native.conv2dFusedForward(x, w, { ...params, needsStatistics: false }).y,
      ...{ dx: d.dx, dw: d.dw, dgamma: d.gamma, dbeta: d.beta },
      ...{ throughDx: through.dx, throughDw: through.dw, throughDgamma: through.gamma, throughDbeta: through.beta },
      ...{ throughDxAlone: throughInput.dx },
      ...{ overDx: inPlace.dx, overDw: inPlace.dw, overDgamma: inPlace.gamma, overDbeta: inPlace.beta },
      ...{ plainDx: plain.dx, plainDw: plain.dw, plainDgamma: plain.gamma, plainDbeta: plain.beta },
      ...{ bareDx: bare.dx, bareDw: bare.dw, dxAlone: input.dx, dwAlone: weight.dw },
    } as Record<string, NativeTensor>
    if (exact) native.tensorDispose(statistics as NativeTensor)
    return exact ? outputs : { ...outputs, statistics: statistics as NativeTensor }
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
    const forward = { ...params, xRelu: false, needsStatistics: false, needsZ: true }
    const { y, z } = native.igcBlockForward(x, primary, secondary, forward)
    const all = { needsInput: true, needsPrimary: true, needsSecondary: true }
    const plain = { ...params, xRelu: false, yRelu: false, yTraining: false, overwriteDy: false }
    const around = [undefined, undefined, undefined, undefined, undefined, z] as const
    const { dx, ...weights } = native.igcBlockBackward(dy, x, primary, secondary, { ...plain, ...all }, ...around)
    if (z !== undefined) native.tensorDispose(z)
    const alone = (need: Partial<typeof all>) => {
      const none = { needsInput: false, needsPrimary: false, needsSecondary: false }
      return native.igcBlockBackward(dy, x, primary, secondary, { ...plain, ...none, ...need })
    }
    return {
      y,
      dx: dx as NativeTensor,
      dPrimary: weights.primary as NativeTensor,
      dSecondary: weights.secondary as NativeTensor,
      dxAlone: alone({ needsInput: true }).dx as NativeTensor,
      dPrimaryAlone: alone({ needsPrimary: true }).primary as NativeTensor,
      dSecondaryAlone: alone({ needsSecondary: true }).secondary as NativeTensor,
    }
  }
}

/** What is around an igcBlock: of the norms before and behind it which end in a ReLU. */
export interface Norms {
  xRelu: boolean
  yRelu: boolean
  yTraining: boolean
}

/**
 * The block with batch norm on both sides. On `exact` numbers (integers, norms of halves; the one behind the block in
 * inference mode) everything but the statistics is exact in f32; otherwise they are normally distributed.
 */
export function normedIgcBlockKernel(shape: IgcBlockShape, { xRelu, yRelu, yTraining }: Norms, exact: boolean): Kernel {
  const { N, H, W, C, K, R, S, stride, padding, L, M } = shape
  const params = { primaryPartitions: L, secondaryPartitions: M, stride, padding }
  const values = exact ? integers : normals
  // Weights that keep y near 1.
  const weight = (dims: number[], seed: number, sum: number) =>
    exact ? integers(dims, seed) : normals(dims, seed, 0, 1 / Math.sqrt(sum))
  return put => {
    const x = put(values([N, H, W, C], 1))
    const primary = put(weight([K, R, S, C / L], 2, (R * S * C) / L))
    const secondary = put(weight([K, 1, 1, K / M], 3, K / M))
    const dy = put(values([N, ...outputSize(shape), K], 4))
    const [xNorm, yNorm] = [put(normValues(C, 5, exact)), put(normValues(K, 6, exact))]
    const [dgamma, dbeta] = [put(values([K], 7)), put(values([K], 8))]
    const forward = { ...params, xRelu, needsStatistics: true, needsZ: true }
    const { y, statistics, z } = native.igcBlockForward(x, primary, secondary, forward, xNorm)
    const needs = { needsInput: true, needsPrimary: true, needsSecondary: true }
    const p = { ...params, ...needs, xRelu, yRelu, yTraining, overwriteDy: false }
    const d = native.igcBlockBackward(dy, x, primary, secondary, p, xNorm, yNorm, y, dgamma, dbeta, z)
    if (z !== undefined) native.tensorDispose(z)
    const plain = native.igcBlockBackward(dy, x, primary, secondary, p, xNorm)
    const spare = put(values([N, ...outputSize(shape), K], 4))
    const around = [xNorm, yNorm, y, dgamma, dbeta] as const
    const over = native.igcBlockBackward(spare, x, primary, secondary, { ...p, overwriteDy: true }, ...around)
    const sum = [put(values([N, H, W, C], 9)), put(values([N, H, W, C], 10)), put(normValues(C, 11, exact))] as const
    const behindY = [undefined, yNorm, y, dgamma, dbeta, undefined] as const
    const through = native.igcBlockBackward(dy, x, primary, secondary, p, ...behindY, ...sum)
    const alone = native.igcBlockBackward(dy, x, primary, secondary, p, ...behindY, sum[0])
    const outputs = {
      y,
      ...{ overDx: over.dx, overDPrimary: over.primary, overDSecondary: over.secondary, overDgamma: over.gamma },
      ...{ throughDx: through.dx, throughDPrimary: through.primary, throughDSecondary: through.secondary },
      ...{ overDbeta: over.beta, throughDgamma: through.gamma, throughDbeta: through.beta, throughDxAlone: alone.dx },
      ...{ dx: d.dx, dPrimary: d.primary, dSecondary: d.secondary, dgamma: d.gamma, dbeta: d.beta },
      ...{ plainDx: plain.dx, plainDPrimary: plain.primary, plainDSecondary: plain.secondary },
      ...{ plainDgamma: plain.gamma, plainDbeta: plain.beta },
    } as Record<string, NativeTensor>
    if (exact) native.tensorDispose(statistics as NativeTensor)
    return exact ? outputs : { ...outputs, statistics: statistics as NativeTensor }
  }
}

/** A norm [4, C]: mean, invStd > 0, gamma, beta. On exact numbers (x - mean) * invStd * gamma + beta is never 0. */
function normValues(C: number, seed: number, exact: boolean): Values {
  const rows = exact
    ? [integers([C], seed).data, new Float64Array(C).fill(0.5), new Float64Array(C).fill(2), halves(C, seed + 20)]
    : [
        normals([C], seed, 0, 0.3).data,
        normals([C], seed + 10, 1, 0.1).data,
        normals([C], seed + 20, 1, 0.1).data,
        normals([C], seed + 30, 0, 0.5).data,
      ]
  return { shape: [4, C], data: Float64Array.from(rows.flatMap(row => [...row])) }
}

const halves = (C: number, seed: number) => integers([C], seed).data.map(value => value / 2 + 0.25)
