/** The workloads of conv2d and igcBlock, in all directions. Checked in test/benchmarks/kernels.test.ts. */
import { type NativeTensor, native } from '../../src/native.ts'
import type { Conv2dShape, IgcBlockShape } from '../../test/shapes/shapes.ts'
import { blocks, convolutions } from './shapes.ts'
import { elements, type Put, type Workload, windows } from './workload.ts'

/** `forwardNorms` and `backwardNorms` are as in training, between two batch norms with ReLU; `forwardNorm` is inference. */
function conv2dWorkloads(shape: Conv2dShape): Workload[] {
  const { name, N, H, W, C, K, R, S, stride, padding, groups } = shape
  const p = { stride, padding, groups }
  const wShape = [K, R, S, C / groups]
  const sizes = (batch: number) => ({
    x: [batch, H, W, C],
    y: [batch, windows(H, R, shape), windows(W, S, shape), K],
  })
  const flops = (batch: number) => 2 * elements(sizes(batch).y) * R * S * (C / groups)
  const common = { op: 'conv2d', shape: name, batch: N, flops }
  return [
    {
      ...common,
      native: 'conv2dForward',
      direction: 'forward',
      make(put, batch) {
        const [x, w] = [put.floats(sizes(batch).x), put.floats(wShape)]
        return { reads: [x, w], run: () => [native.conv2dForward(x, w, p)] }
      },
    },
    {
      ...common,
      native: 'conv2dNormForward',
      direction: 'forwardNorm',
      make(put, batch) {
        const [x, w, norm] = [put.floats(sizes(batch).x), put.floats(wShape), put.norm(K)]
        return { reads: [x, w], run: () => [native.conv2dNormForward(x, w, norm, { ...p, relu: true })] }
      },
    },
    {
      ...common,
      native: 'conv2dBackwardInput',
      direction: 'backwardInput',
      make(put, batch) {
        const { x, y } = sizes(batch)
        const [dy, w] = [put.floats(y), put.floats(wShape)]
        return { reads: [dy, w], run: () => [native.conv2dBackwardInput(dy, w, { ...p, shape: x })] }
      },
    },
    {
      ...common,
      native: 'conv2dBackwardWeight',
      direction: 'backwardWeight',
      make(put, batch) {
        const sized = sizes(batch)
        const [dy, x] = [put.floats(sized.y), put.floats(sized.x)]
        return { reads: [dy, x], run: () => [native.conv2dBackwardWeight(dy, x, { ...p, shape: wShape })] }
      },
    },
    {
      ...common,
      native: 'conv2dFusedForward',
      direction: 'forwardNorms',
      make(put, batch) {
        const [x, w, xNorm] = [put.coarse(sizes(batch).x), put.floats(wShape), put.norm(C)]
        const params = { ...p, xRelu: true, needsStatistics: true }
        return { reads: [x, w], run: () => results(native.conv2dFusedForward(x, w, params, xNorm)) }
      },
    },
    {
      ...common,
      native: 'conv2dFusedBackward',
      direction: 'backwardNorms',
      flops: batch => 2 * flops(batch),
      make(put, batch) {
        const { x: xShape, y: yShape } = sizes(batch)
        const [dy, x, y, w] = [put.floats(yShape), put.coarse(xShape), put.coarse(yShape), put.floats(wShape)]
        const norms = { xRelu: true, yRelu: true, yTraining: true }
        const params = { ...p, xShape, wShape, ...norms, needsInput: true, needsWeight: true, overwriteDy: false }
        const around = [put.norm(C), put.norm(K), y, put.floats([K]), put.floats([K])] as const
        return { reads: [dy, x, y, w], run: () => results(native.conv2dFusedBackward(dy, params, x, w, ...around)) }
      },
    },
  ]
}

/** Which gradients a direction makes. */
const GRADIENTS = {
  backward: { needsInput: true, needsPrimary: true, needsSecondary: true },
  backwardInput: { needsInput: true, needsPrimary: false, needsSecondary: false },
  backwardWeight: { needsInput: false, needsPrimary: true, needsSecondary: true },
} as const

/**
 * `forwardNorm` and `backwardNorm` are as in training: between two batch norms with ReLU, which they carry out, and with
 * the map between the convolutions kept from one to the other where the device does.
 */
function igcBlockWorkloads(shape: IgcBlockShape): Workload[] {
  const { name, N, H, W, C, K, R, S, stride, padding, L, M } = shape
  const p = { primaryPartitions: L, secondaryPartitions: M, stride, padding }
  const sizes = (batch: number) => ({
    x: [batch, H, W, C],
    y: [batch, windows(H, R, shape), windows(W, S, shape), K],
  })
  const flops = (batch: number) => 2 * elements(sizes(batch).y) * (R * S * (C / L) + K / M)
  const weights = (put: Put) => [put.floats([K, R, S, C / L]), put.floats([K, 1, 1, K / M])] as const
  const common = { op: 'igcBlock', shape: name, batch: N }
  const forward = (norm: boolean): Workload => ({
    ...common,
    native: 'igcBlockForward',
    direction: norm ? 'forwardNorm' : 'forward',
    flops,
    make(put, batch) {
      const x = put.coarse(sizes(batch).x)
      const [primary, secondary] = weights(put)
      const xNorm = norm ? put.norm(C) : undefined
      const params = { ...p, xRelu: norm, needsStatistics: norm, needsZ: norm }
      return {
        reads: [x, primary, secondary],
        run: () => results(native.igcBlockForward(x, primary, secondary, params, xNorm)),
      }
    },
  })
  const backward = (direction: keyof typeof GRADIENTS, norm: boolean): Workload => {
    const needs = GRADIENTS[direction]
    const passes = direction === 'backward' ? 2 : 1
    return {
      ...common,
      native: 'igcBlockBackward',
      direction: norm ? `${direction}Norm` : direction,
      flops: batch => passes * flops(batch),
      make(put, batch) {
        const [dy, x, y] = [put.floats(sizes(batch).y), put.coarse(sizes(batch).x), put.coarse(sizes(batch).y)]
        const [primary, secondary] = weights(put)
        const params = { ...p, ...needs, xRelu: norm, yRelu: norm, yTraining: norm, overwriteDy: false }
        if (!norm) {
          return {
            reads: [dy, x, primary, secondary],
            run: () => results(native.igcBlockBackward(dy, x, primary, secondary, params)),
          }
        }
        const [xNorm, ...yNorm] = [put.norm(C), put.norm(K), y, put.floats([K]), put.floats([K])] as const
        const forward = { ...p, xRelu: true, needsStatistics: false, needsZ: true }
        const { y: unused, z } = native.igcBlockForward(x, primary, secondary, forward, xNorm)
        native.tensorDispose(unused)
        const kept = z === undefined ? [] : [put.keep(z)]
        return {
          reads: [dy, x, primary, secondary, y, ...kept],
          run: () => results(native.igcBlockBackward(dy, x, primary, secondary, params, xNorm, ...yNorm, z)),
        }
      },
    }
  }
  return [
    forward(false),
    forward(true),
    backward('backward', false),
    backward('backward', true),
    backward('backwardInput', false),
    backward('backwardWeight', false),
  ]
}

/** The results that there are. */
function results(made: Record<string, NativeTensor | undefined>): NativeTensor[] {
  return Object.values(made).filter(result => result !== undefined)
}

export const convolutionWorkloads: readonly Workload[] = [
  ...blocks.flatMap(igcBlockWorkloads),
  ...convolutions.flatMap(conv2dWorkloads),
]
