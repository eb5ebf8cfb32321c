/**
 * The workloads of a network's end and of what is done to its parameters: linear, cross-entropy, SGD, random numbers.
 * Checked in test/benchmarks/kernels.test.ts.
 */
import { native } from '../../src/native.ts'
import type { LinearShape } from '../../test/shapes/shapes.ts'
import { linears } from './shapes.ts'
import type { Workload } from './workload.ts'

/** Floating operations of an element: maximum, difference, exponential, sum, quotient; the step with all its options. */
const FLOPS = { crossEntropy: 5, crossEntropyInput: 2, sgd: 7 }

function linearWorkloads({ name, N, C, K }: LinearShape): Workload[] {
  const common = { op: 'linear', shape: name, batch: N, flops: (batch: number) => 2 * batch * C * K }
  return [
    {
      ...common,
      native: 'linearForward',
      direction: 'forward',
      make(put, batch) {
        const [x, w, b] = [put.floats([batch, C]), put.floats([K, C]), put.floats([K])]
        return { reads: [x, w, b], run: () => [native.linearForward(x, w, b)] }
      },
    },
    {
      ...common,
      native: 'linearBackwardInput',
      direction: 'backwardInput',
      make(put, batch) {
        const [dy, w] = [put.floats([batch, K]), put.floats([K, C])]
        return { reads: [dy, w], run: () => [native.linearBackwardInput(dy, w)] }
      },
    },
    {
      ...common,
      native: 'linearBackwardWeight',
      direction: 'backwardWeight',
      make(put, batch) {
        const [dy, x] = [put.floats([batch, K]), put.floats([batch, C])]
        return { reads: [dy, x], run: () => [native.linearBackwardWeight(dy, x)] }
      },
    },
    {
      ...common,
      flops: batch => batch * K,
      native: 'linearBackwardBias',
      direction: 'backwardBias',
      make(put, batch) {
        const dy = put.floats([batch, K])
        return { reads: [dy], run: () => [native.linearBackwardBias(dy)] }
      },
    },
  ]
}

function crossEntropyWorkloads({ name, N, K }: LinearShape): Workload[] {
  const p = { labelSmoothing: 0.1 }
  const common = { op: 'crossEntropy', shape: name, batch: N }
  return [
    {
      ...common,
      native: 'crossEntropyForward',
      direction: 'forward',
      flops: batch => FLOPS.crossEntropy * batch * K,
      make(put, batch) {
        const [logits, labels] = [put.floats([batch, K]), put.labels(batch, K)]
        return { reads: [logits], run: () => Object.values(native.crossEntropyForward(logits, labels, p)) }
      },
    },
    {
      ...common,
      native: 'crossEntropyBackwardInput',
      direction: 'backwardInput',
      flops: batch => FLOPS.crossEntropyInput * batch * K,
      make(put, batch) {
        const [probabilities, labels, dloss] = [put.floats([batch, K]), put.labels(batch, K), put.floats([])]
        const run = () => [native.crossEntropyBackwardInput(dloss, probabilities, labels, p)]
        return { reads: [probabilities], run }
      },
    },
  ]
}

/** A step of SGD and random numbers, for parameters of the linear layer's size. */
function parameterWorkloads({ name, C, K }: LinearShape): Workload[] {
  const random = { dtype: 'f32', shape: [K, C], seed: 1, offset: 0, a: 0, b: 1 }
  const common = { shape: name, batch: 1, direction: 'forward' }
  return [
    {
      ...common,
      native: 'sgdStep',
      op: 'sgdStep',
      flops: () => FLOPS.sgd * C * K,
      make(put) {
        const [g, w, v] = [put.floats([K, C]), put.floats([K, C]), put.floats([K, C])]
        const p = { lr: 1e-6, momentum: 0.9, weightDecay: 1e-4, nesterov: true }
        const run = () => {
          native.sgdStep([g], [w], [v], p)
          return []
        }
        return { reads: [g, w, v], updates: [w, v], run }
      },
    },
    {
      ...common,
      native: 'noteNonFinite',
      op: 'noteNonFinite',
      flops: () => C * K,
      make(put) {
        const [x, found] = [put.floats([K, C]), put.floats([])]
        const run = () => {
          native.noteNonFinite(x, found)
          return []
        }
        return { reads: [x], updates: [found], run }
      },
    },
    {
      ...common,
      native: 'randomUniform',
      op: 'randomUniform',
      flops: () => 0,
      make: ({ device }) => ({ reads: [], run: () => [native.randomUniform({ ...random, device })] }),
    },
    {
      ...common,
      native: 'randomNormal',
      op: 'randomNormal',
      flops: () => 0,
      make: ({ device }) => ({ reads: [], run: () => [native.randomNormal({ ...random, device })] }),
    },
  ]
}

export const headWorkloads: readonly Workload[] = linears.flatMap(shape => [
  ...linearWorkloads(shape),
  ...crossEntropyWorkloads(shape),
  ...parameterWorkloads(shape),
])
