/**
 * The workloads of ops on maps: batch norm, pools, element-wise ops, reorder. Checked in test/benchmarks/kernels.test.ts.
 */
import { type NativeTensor, native } from '../../src/native.ts'
import type { MapShape, Pool2dShape, ReorderShape } from '../../test/shapes/shapes.ts'
import { maps, pools, reorders } from './shapes.ts'
import { elements, type Workload, windows } from './workload.ts'

const DROPOUT = { rate: 0.2, seed: 1, offset: 0 }
/** Floating operations of an element. */
const FLOPS = { batchNormSums: 4, batchNormApply: 3, batchNormInput: 6, addRelu: 2, softmax: 3 }

const sizeOf = ({ H, W, C }: MapShape, batch: number) => [batch, H, W, C]

/** A workload on maps of one shape. */
function onMap(
  shape: MapShape,
  name: Pick<Workload, 'native' | 'op' | 'direction'>,
  flopsAnElement: number,
  make: Workload['make'],
): Workload {
  const flops = (batch: number) => flopsAnElement * elements(sizeOf(shape, batch))
  return { ...name, shape: shape.name, batch: shape.N, flops, make }
}

/** The steps of batch norm, as in training, with a ReLU behind it. */
function batchNormWorkloads(shape: MapShape): Workload[] {
  const { C } = shape
  const step = (native: Workload['native'], direction: string, flops: number, make: Workload['make']) =>
    onMap(shape, { native, op: 'batchNorm2d', direction }, flops, make)
  return [
    step('batchNorm2dStatistics', 'forwardStatistics', FLOPS.batchNormSums, (put, batch) => {
      const x = put.floats(sizeOf(shape, batch))
      return { reads: [x], run: () => [native.batchNorm2dStatistics(x)] }
    }),
    step('batchNorm2dPrepare', 'forwardPrepare', 0, (put, batch) => {
      const x = put.floats(sizeOf(shape, batch))
      const channels = () => put.floats([C])
      const [gamma, beta, mean, variance] = [channels(), channels(), channels(), channels()]
      const statistics = put.keep(native.batchNorm2dStatistics(x))
      const p = { training: true, momentum: 0.9, epsilon: 2e-5 }
      const run = () => [native.batchNorm2dPrepare(x, gamma, beta, mean, variance, p, statistics)]
      return { reads: [gamma, beta, statistics], updates: [mean, variance], run }
    }),
    step('batchNorm2dApply', 'forwardApply', FLOPS.batchNormApply, (put, batch) => {
      const [x, norm] = [put.coarse(sizeOf(shape, batch)), put.norm(C)]
      return { reads: [x], run: () => [native.batchNorm2dApply(x, norm, { relu: true })] }
    }),
    step('batchNorm2dBackwardWeight', 'backwardWeight', FLOPS.batchNormSums, (put, batch) => {
      const [dy, x] = [put.floats(sizeOf(shape, batch)), put.coarse(sizeOf(shape, batch))]
      const norm = put.norm(C)
      const run = () => Object.values(native.batchNorm2dBackwardWeight(dy, x, norm, { relu: true }))
      return { reads: [dy, x], run }
    }),
    step('batchNorm2dBackwardInput', 'backwardInput', FLOPS.batchNormInput, (put, batch) => {
      const [dy, x] = [put.floats(sizeOf(shape, batch)), put.coarse(sizeOf(shape, batch))]
      const [norm, dgamma, dbeta] = [put.norm(C), put.floats([C]), put.floats([C])]
      const run = () => [native.batchNorm2dBackwardInput(dy, x, norm, dgamma, dbeta, { relu: true, training: true })]
      return { reads: [dy, x], run }
    }),
  ]
}

function elementwiseWorkloads(shape: MapShape): Workload[] {
  const two = (
    name: Pick<Workload, 'native' | 'op' | 'direction'>,
    flops: number,
    apply: (a: NativeTensor, b: NativeTensor) => NativeTensor,
  ) =>
    onMap(shape, name, flops, (put, batch) => {
      const [a, b] = [put.floats(sizeOf(shape, batch)), put.floats(sizeOf(shape, batch))]
      return { reads: [a, b], run: () => [apply(a, b)] }
    })
  const one = (
    name: Pick<Workload, 'native' | 'op' | 'direction'>,
    flops: number,
    apply: (x: NativeTensor) => NativeTensor,
  ) =>
    onMap(shape, name, flops, (put, batch) => {
      const x = put.floats(sizeOf(shape, batch))
      return { reads: [x], run: () => [apply(x)] }
    })
  return [
    two({ native: 'addForward', op: 'add', direction: 'forward' }, 1, native.addForward),
    two({ native: 'addReluForward', op: 'addRelu', direction: 'forward' }, FLOPS.addRelu, (a, b) =>
      native.addReluForward(a, b, { aRelu: false, bRelu: false }),
    ),
    two(
      { native: 'addReluBackward', op: 'addRelu', direction: 'backwardInput' },
      FLOPS.addRelu,
      (dy, y) => native.addReluBackward(dy, y, { overwriteDy: false }).dv,
    ),
    one({ native: 'reluForward', op: 'relu', direction: 'forward' }, 1, native.reluForward),
    two({ native: 'reluBackwardInput', op: 'relu', direction: 'backwardInput' }, 1, native.reluBackwardInput),
    one({ native: 'relu6Forward', op: 'relu6', direction: 'forward' }, 1, native.relu6Forward),
    two({ native: 'relu6BackwardInput', op: 'relu6', direction: 'backwardInput' }, 1, native.relu6BackwardInput),
    one({ native: 'dropoutForward', op: 'dropout', direction: 'forward' }, 1, x => native.dropoutForward(x, DROPOUT)),
    one({ native: 'dropoutBackwardInput', op: 'dropout', direction: 'backwardInput' }, 1, dy =>
      native.dropoutBackwardInput(dy, DROPOUT),
    ),
    one({ native: 'softmaxForward', op: 'softmax', direction: 'forward' }, FLOPS.softmax, native.softmaxForward),
    two(
      { native: 'softmaxBackwardInput', op: 'softmax', direction: 'backwardInput' },
      FLOPS.softmax,
      native.softmaxBackwardInput,
    ),
    one({ native: 'globalAvgPool2dForward', op: 'globalAvgPool2d', direction: 'forward' }, 1, x =>
      native.globalAvgPool2dForward(x),
    ),
    onMap(
      shape,
      { native: 'globalAvgPool2dBackwardInput', op: 'globalAvgPool2d', direction: 'backwardInput' },
      1,
      (put, batch) => {
        const dy = put.floats([batch, shape.C])
        return { reads: [dy], run: () => [native.globalAvgPool2dBackwardInput(dy, { shape: sizeOf(shape, batch) })] }
      },
    ),
  ]
}

function reorderWorkloads(shape: ReorderShape): Workload[] {
  const p = { factor: shape.factor }
  const make =
    (apply: (x: NativeTensor, p: { factor: number }) => NativeTensor): Workload['make'] =>
    (put, batch) => {
      const x = put.floats(sizeOf(shape, batch))
      return { reads: [x], run: () => [apply(x, p)] }
    }
  return [
    onMap(shape, { native: 'reorderForward', op: 'reorder', direction: 'forward' }, 0, make(native.reorderForward)),
    onMap(
      shape,
      { native: 'reorderBackwardInput', op: 'reorder', direction: 'backwardInput' },
      0,
      make(native.reorderBackwardInput),
    ),
  ]
}

function poolWorkloads(shape: Pool2dShape): Workload[] {
  const { name, N, H, W, C, kernel, stride, padding } = shape
  const p = { kernel, stride, padding }
  const outputOf = (batch: number) => [batch, windows(H, kernel, shape), windows(W, kernel, shape), C]
  const flops = (batch: number) => elements(outputOf(batch)) * kernel * kernel
  const common = { shape: name, batch: N, flops }
  const forward = (pool: typeof native.avgPool2dForward): Workload['make'] => {
    return (put, batch) => {
      const x = put.floats(sizeOf(shape, batch))
      return { reads: [x], run: () => [pool(x, p)] }
    }
  }
  return [
    {
      ...common,
      native: 'avgPool2dForward',
      op: 'avgPool2d',
      direction: 'forward',
      make: forward(native.avgPool2dForward),
    },
    {
      ...common,
      native: 'avgPool2dBackwardInput',
      op: 'avgPool2d',
      direction: 'backwardInput',
      make(put, batch) {
        const dy = put.floats(outputOf(batch))
        return { reads: [dy], run: () => [native.avgPool2dBackwardInput(dy, { ...p, shape: sizeOf(shape, batch) })] }
      },
    },
    {
      ...common,
      native: 'maxPool2dForward',
      op: 'maxPool2d',
      direction: 'forward',
      make: forward(native.maxPool2dForward),
    },
    {
      ...common,
      native: 'maxPool2dBackwardInput',
      op: 'maxPool2d',
      direction: 'backwardInput',
      make(put, batch) {
        const [dy, x] = [put.floats(outputOf(batch)), put.floats(sizeOf(shape, batch))]
        return { reads: [dy, x], run: () => [native.maxPool2dBackwardInput(dy, x, p)] }
      },
    },
  ]
}

export const mapWorkloads: readonly Workload[] = [
  ...maps.flatMap(batchNormWorkloads),
  ...maps.flatMap(elementwiseWorkloads),
  ...reorders.flatMap(reorderWorkloads),
  ...pools.flatMap(poolWorkloads),
]
