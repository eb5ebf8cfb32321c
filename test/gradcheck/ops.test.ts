/** The gradient of every op by every input, in f64 on `reference`, against central differences. */
import { describe, it } from 'vitest'
import {
  add,
  avgPool2d,
  batchNorm2d,
  type Conv2dOptions,
  conv2d,
  crossEntropy,
  dropout,
  globalAvgPool2d,
  type IgcBlockOptions,
  igcBlock,
  linear,
  maxPool2d,
  type Pool2dOptions,
  relu,
  relu6,
  reorder,
  softmax,
} from '../../src/ops/index.ts'
import { tensor } from '../../src/tensor.ts'
import { awayFromZero, distinct, gradcheck, normal } from '../support/gradcheck.ts'

describe('elementwise', () => {
  it('add', () => gradcheck(add, [normal([2, 3, 4], 1), normal([2, 3, 4], 2)]))
  it('add of scalars', () => gradcheck(add, [normal([], 1), normal([], 2)]))
  it('relu, away from zero', () => gradcheck(relu, [awayFromZero([3, 5, 7], 1)]))
  it('relu6, away from zero and six', () =>
    gradcheck(relu6, [
      tensor(
        Float64Array.from({ length: 24 }, (_, i) => i - 8.5),
        [2, 3, 4],
        { dtype: 'f64', device: 'reference' },
      ),
    ]))
  it('dropout', () => gradcheck(x => dropout(x, { rate: 0.4, seed: 2, offset: 9 }), [normal([3, 5, 7], 1)]))
  it('softmax', () => gradcheck(softmax, [normal([4, 7], 1)]))
  it('softmax of images', () => gradcheck(softmax, [normal([2, 3, 2, 5], 1)]))
  it.each([1, 2, 3, 4, 6, 12])('reorder of 12 channels by %i', factor =>
    gradcheck(x => reorder(x, { factor }), [normal([2, 2, 3, 12], 1)]),
  )
  it('reshape', () => gradcheck(x => softmax(x.reshape([2, 12])), [normal([2, 3, 4], 1)]))
})

describe('a tensor that is used more than once', () => {
  it('as both inputs of one op', () => gradcheck(x => add(x, x), [normal([5], 1)]))
  it('on two paths that meet', () =>
    gradcheck(x => add(softmax(x), reorder(relu(x), { factor: 2 })), [awayFromZero([3, 6], 1)]))
  it('at three depths', () => gradcheck(x => softmax(add(x, softmax(add(x, softmax(x))))), [normal([3, 4], 1)]))
  it('as a weight of two layers', () =>
    gradcheck((x, w) => linear(softmax(linear(x, w)), w), [normal([3, 4], 1), normal([4, 4], 2)]))
})

type Sizes = readonly [n: number, h: number, w: number, c: number]

describe('conv2d', () => {
  it.each<[string, Sizes, readonly [number, number, number, number], Conv2dOptions]>([
    ['3x3', [2, 5, 5, 3], [4, 3, 3, 3], {}],
    ['padding', [2, 4, 4, 3], [4, 3, 3, 3], { padding: 1 }],
    ['stride 2', [2, 6, 6, 3], [4, 3, 3, 3], { stride: 2, padding: 1 }],
    ['stride 2 of an odd size', [1, 7, 5, 2], [3, 3, 3, 2], { stride: 2, padding: 1 }],
    ['stride 3, the last rows unused', [1, 7, 8, 2], [3, 3, 3, 2], { stride: 3 }],
    ['two groups', [2, 5, 5, 4], [6, 3, 3, 2], { padding: 1, groups: 2 }],
    ['depthwise', [2, 5, 4, 6], [6, 3, 3, 1], { padding: 1, groups: 6 }],
    ['groups and stride 2', [1, 7, 5, 6], [9, 3, 3, 2], { stride: 2, padding: 1, groups: 3 }],
    ['1x1', [2, 3, 4, 5], [3, 1, 1, 5], {}],
    ['1x1, groups and stride 2', [2, 5, 4, 8], [4, 1, 1, 2], { stride: 2, groups: 4 }],
    ['1x1 with padding', [1, 3, 3, 2], [3, 1, 1, 2], { padding: 1 }],
    ['an oblong window', [2, 5, 6, 2], [3, 1, 4, 2], { padding: 1 }],
    ['an even window', [2, 5, 6, 2], [3, 2, 2, 2], { stride: 2, padding: 1 }],
    ['padding wider than the image', [1, 2, 1, 2], [2, 3, 3, 2], { padding: 2 }],
    ['one pixel', [1, 1, 1, 3], [2, 3, 3, 3], { padding: 1 }],
  ])('%s', (_, x, w, options) => gradcheck((x, w) => conv2d(x, w, options), [normal(x, 1), normal(w, 2)]))
})

describe('igcBlock', () => {
  // [N, H, W, C], K, side of the window, L, M, stride, padding
  it.each<[string, Sizes, number, number, Required<IgcBlockOptions>]>([
    ['L=3, M=2', [2, 4, 4, 6], 6, 3, { primaryPartitions: 3, secondaryPartitions: 2, stride: 1, padding: 1 }],
    ['L=2, M=4', [2, 4, 3, 8], 8, 3, { primaryPartitions: 2, secondaryPartitions: 4, stride: 1, padding: 1 }],
    ['L=4, M=1', [1, 3, 4, 4], 4, 3, { primaryPartitions: 4, secondaryPartitions: 1, stride: 1, padding: 1 }],
    ['L=1, M=3', [1, 3, 4, 2], 3, 3, { primaryPartitions: 1, secondaryPartitions: 3, stride: 1, padding: 1 }],
    [
      'stride 2, twice the width',
      [2, 6, 5, 6],
      12,
      3,
      { primaryPartitions: 3, secondaryPartitions: 4, stride: 2, padding: 1 },
    ],
    [
      'K != L*M: the quirk',
      [2, 5, 6, 6],
      12,
      3,
      { primaryPartitions: 3, secondaryPartitions: 2, stride: 2, padding: 1 },
    ],
    [
      'K != L*M, more groups',
      [1, 4, 4, 4],
      8,
      3,
      { primaryPartitions: 2, secondaryPartitions: 8, stride: 1, padding: 1 },
    ],
    ['1x1', [2, 3, 3, 6], 6, 1, { primaryPartitions: 2, secondaryPartitions: 3, stride: 1, padding: 0 }],
    ['5x5 of an odd size', [1, 5, 3, 4], 4, 5, { primaryPartitions: 2, secondaryPartitions: 2, stride: 1, padding: 2 }],
    ['no padding', [1, 5, 4, 4], 4, 3, { primaryPartitions: 2, secondaryPartitions: 2, stride: 1, padding: 0 }],
  ])('%s', (_, x, k, side, options) => {
    const primary = normal([k, side, side, x[3] / options.primaryPartitions], 2)
    const secondary = normal([k, 1, 1, k / options.secondaryPartitions], 3)
    gradcheck((x, primary, secondary) => igcBlock(x, primary, secondary, options), [normal(x, 1), primary, secondary])
  })
})

describe('batchNorm2d', () => {
  const inputs = () => [normal([3, 2, 3, 4], 1), normal([4], 2), normal([4], 3)] as const
  const running = () => [normal([4], 4), awayFromZero([4], 5)] as const

  it('in training', () => {
    const [mean, variance] = running()
    gradcheck((x, gamma, beta) => batchNorm2d(x, gamma, beta, mean, variance, { training: true }), inputs())
  })
  it('in training, with a large epsilon', () => {
    const [mean, variance] = running()
    const options = { training: true, epsilon: 0.5, momentum: 0.5 }
    gradcheck((x, gamma, beta) => batchNorm2d(x, gamma, beta, mean, variance, options), inputs())
  })
  it('in inference', () => {
    const [mean, variance] = running()
    variance.assign(variance.dataSync().map(Math.abs))
    gradcheck((x, gamma, beta) => batchNorm2d(x, gamma, beta, mean, variance, { training: false }), inputs())
  })
  it('of rows', () => {
    const [mean, variance] = running()
    const [, gamma, beta] = inputs()
    const options = { training: true }
    gradcheck((x, g, b) => batchNorm2d(x, g, b, mean, variance, options), [normal([5, 4], 6), gamma, beta])
  })
})

describe('pools', () => {
  const pools: [string, Sizes, Pool2dOptions][] = [
    ['2x2', [2, 4, 6, 3], { kernel: 2 }],
    ['2x2 of an odd size', [2, 5, 7, 3], { kernel: 2 }],
    ['3x3, stride 2, padding 1', [2, 7, 6, 3], { kernel: 3, stride: 2, padding: 1 }],
    ['3x3, stride 1: windows that overlap', [1, 5, 4, 2], { kernel: 3, stride: 1, padding: 1 }],
    ['stride wider than the window', [1, 7, 7, 2], { kernel: 2, stride: 3 }],
    ['the whole map', [2, 4, 4, 3], { kernel: 4 }],
  ]
  it.each(pools)('avgPool2d: %s', (_, x, options) => gradcheck(x => avgPool2d(x, options), [normal(x, 1)]))
  it.each(pools)('maxPool2d: %s', (_, x, options) => gradcheck(x => maxPool2d(x, options), [distinct(x, 1)]))
  it('globalAvgPool2d', () => gradcheck(globalAvgPool2d, [normal([2, 3, 5, 4], 1)]))
})

describe('linear', () => {
  const [x, w, b] = [normal([3, 5], 1), normal([4, 5], 2), normal([4], 3)]
  it('with bias', () => gradcheck((x, w, b) => linear(x, w, b), [x, w, b]))
  it('without bias', () => gradcheck((x, w) => linear(x, w), [x, w]))
  it('one row', () => gradcheck((x, w, b) => linear(x, w, b), [normal([1, 5], 4), w, b]))
})

describe('crossEntropy', () => {
  const labels = tensor([2, 0, 4, 4], [4], { dtype: 'i32', device: 'reference' })
  it.each([0, 0.1, 1])('with label smoothing %d', labelSmoothing =>
    gradcheck(logits => crossEntropy(logits, labels, { labelSmoothing }), [normal([4, 5], 1)]),
  )
  it('of large logits', () => {
    const logits = normal([4, 5], 1)
    logits.assign(logits.dataSync().map(value => 300 + 3 * value))
    gradcheck(logits => crossEntropy(logits, labels), [logits], { eps: 1e-5, tolerance: 1e-7 })
  })
})
