/** Calls from plain JavaScript, without a compiler: what is no tensor is named, with the op and the argument. */
import { expect, it } from 'vitest'
import * as igcnet from '../../src/index.ts'

const { full } = igcnet
const x = full([1, 2, 2, 2], 1)
const matrix = full([1, 2], 1)
const vector = full([2], 1)
const training = { training: true }

/** Of each op its tensors, by name and in order, and the options that follow them; those of `mayLack` have a default. */
const calls: Record<string, { tensors: Record<string, unknown>; rest?: unknown[] }> = {
  add: { tensors: { a: x, b: x } },
  addRelu: { tensors: { a: x, b: x } },
  avgPool2d: { tensors: { x }, rest: [{ kernel: 1 }] },
  batchNorm2d: {
    tensors: { x, gamma: vector, beta: vector, runningMean: vector, runningVar: vector },
    rest: [training],
  },
  conv2d: { tensors: { x, w: full([2, 1, 1, 2], 1) }, rest: [{}] },
  crossEntropy: { tensors: { logits: matrix, labels: full([1], 0, { dtype: 'i32' }) }, rest: [{}] },
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
const mayLack = ['conv2d', 'crossEntropy']

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

it.each(Object.entries(calls).filter(([, { rest }]) => rest !== undefined))('%s without options', (op, { tensors }) => {
  const call = (igcnet as unknown as Record<string, (...args: unknown[]) => unknown>)[op]
  for (const [wrong, received] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [3, '3'],
    ['x', 'a string'],
  ]) {
    if (wrong === undefined && mayLack.includes(op)) continue
    const message = `${op}: expected an object of options but received ${received}`
    expect(() => call?.(...Object.values(tensors), wrong)).toThrow(new TypeError(message))
  }
})

it.each([null, 5, {}, [1, 2, 3], Float32Array.of(1, 2, 3)])('linear with %o for a bias', wrong => {
  expect(() => igcnet.linear(matrix, full([3, 2], 1), wrong as never)).toThrow(
    /^linear: expected a tensor for b but received /,
  )
})

it('random numbers without options', () => {
  const generator = new igcnet.Generator()
  expect(() => generator.normal([2], null as never)).toThrow('random: expected an object of options but received null')
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, '1']) {
    expect(() => generator.uniform([2], { low: wrong as number })).toThrow(/^random: expected a finite number for low /)
    expect(() => generator.normal([2], { std: wrong as number })).toThrow(/^random: expected a finite number for std /)
  }
  expect(() => generator.uniform([2], { low: -1.7e308, high: 1.7e308 })).toThrow(
    'random: expected a finite range but received -1.7e+308 to 1.7e+308',
  )
})

it('an optimiser of what is no tensor, or without options', () => {
  expect(() => igcnet.optim.sgd([x, 1 as never], { lr: 1 })).toThrow(
    'sgd: expected a tensor for parameter 1 but received 1',
  )
  expect(() => igcnet.optim.sgd([x], undefined as never)).toThrow(
    'sgd: expected an object of options but received undefined',
  )
})
