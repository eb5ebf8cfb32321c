/** Calls from plain JavaScript, without a compiler: what is no tensor is named, with the op and the argument. */
import { expect, it } from 'vitest'
import * as igcnet from '../../src/index.ts'

const { full } = igcnet
const x = full([1, 2, 2, 2], 1)
const matrix = full([1, 2], 1)
const vector = full([2], 1)
const training = { training: true }

/** Of each op its tensors, by name and in order, and what follows them. */
const calls: Record<string, { tensors: Record<string, unknown>; rest?: unknown[] }> = {
  add: { tensors: { a: x, b: x } },
  addRelu: { tensors: { a: x, b: x } },
  avgPool2d: { tensors: { x }, rest: [{ kernel: 1 }] },
  batchNorm2d: {
    tensors: { x, gamma: vector, beta: vector, runningMean: vector, runningVar: vector },
    rest: [training],
  },
  conv2d: { tensors: { x, w: full([2, 1, 1, 2], 1) } },
  crossEntropy: { tensors: { logits: matrix, labels: full([1], 0, { dtype: 'i32' }) } },
  dropout: { tensors: { x }, rest: [{ rate: 0.5 }] },
  globalAvgPool2d: { tensors: { x } },
  igcBlock: {
    tensors: { x, primaryWeight: full([2, 1, 1, 1], 1), secondaryWeight: full([2, 1, 1, 2], 1) },
    rest: [{ primaryPartitions: 2, secondaryPartitions: 1 }],
  },
  linear: { tensors: { x: matrix, w: full([3, 2], 1) } },
  maxPool2d: { tensors: { x }, rest: [{ kernel: 1 }] },
  relu: { tensors: { x } },
  relu6: { tensors: { x } },
  reorder: { tensors: { x }, rest: [{ factor: 2 }] },
  softmax: { tensors: { x } },
}

it.each(Object.entries(calls))('%s', (op, { tensors, rest = [] }) => {
  const call = (igcnet as unknown as Record<string, (...args: unknown[]) => unknown>)[op]
  for (const [i, name] of Object.keys(tensors).entries()) {
    for (const [wrong, received] of [
      [undefined, 'undefined'],
      [null, 'null'],
      [3, '3'],
      ['x', 'a string'],
      [[1, 2], 'an array'],
      [{ handle: x.handle }, 'an object'],
    ]) {
      const args = Object.values(tensors).with(i, wrong)
      const message = `${op}: expected a tensor for ${name} but received ${received}`
      expect(() => call?.(...args, ...rest)).toThrow(new TypeError(message))
    }
  }
})

it.each(Object.entries({ avgPool2d: igcnet.avgPool2d, maxPool2d: igcnet.maxPool2d }))(
  '%s without options',
  (op, pool) => {
    for (const options of [undefined, null]) {
      const message = `${op}: expected options with a kernel but received ${options}`
      expect(() => pool(x, options as never)).toThrow(new TypeError(message))
    }
  },
)
