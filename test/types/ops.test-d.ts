/**
 * The types of ops: the shapes and dtypes of results, and which calls do not compile. A size of type `number`, or a dtype
 * known to be a float only, is always taken: it is checked at run time. Checked by the compiler.
 */
import { describe, expectTypeOf, it } from 'vitest'
import {
  add,
  avgPool2d,
  batchNorm2d,
  type Conv2dOptions,
  conv2d,
  crossEntropy,
  type FloatDType,
  globalAvgPool2d,
  type Images,
  igcBlock,
  linear,
  maxPool2d,
  relu,
  reorder,
  type Shape,
  softmax,
  type Tensor,
  zeros,
} from '../../src/index.ts'

declare const n: number
declare const anyFloat: Tensor<Shape, FloatDType>
const i32 = zeros([2, 3], { dtype: 'i32' })
const f64 = zeros([2, 3], { dtype: 'f64' })

describe('elementwise', () => {
  it('keeps shape and dtype', () => {
    expectTypeOf(add(zeros([2, 3]), zeros([2, 3]))).toEqualTypeOf<Tensor<readonly [2, 3], 'f32'>>()
    expectTypeOf(add(f64, f64)).toEqualTypeOf<Tensor<readonly [2, 3], 'f64'>>()
    expectTypeOf(relu(zeros([2, n]))).toEqualTypeOf<Tensor<readonly [2, number], 'f32'>>()
    expectTypeOf(softmax(f64)).toEqualTypeOf<Tensor<readonly [2, 3], 'f64'>>()
    expectTypeOf(reorder(zeros([4, 6]), { factor: 2 })).toEqualTypeOf<Tensor<readonly [4, 6], 'f32'>>()
  })

  it('takes sizes and dtypes that are not known', () => {
    expectTypeOf(add(zeros([2, 3]), zeros([n, 3]))).toEqualTypeOf<Tensor<readonly [2, 3], 'f32'>>()
    expectTypeOf(add(zeros([n, 3]), zeros([2, n]))).toEqualTypeOf<Tensor<readonly [number, 3], 'f32'>>()
    expectTypeOf(add(zeros([2, 3]), anyFloat)).toEqualTypeOf<Tensor<readonly [2, 3], 'f32'>>()
    expectTypeOf(add(anyFloat, zeros([2, 3]))).toEqualTypeOf<Tensor<Shape, FloatDType>>()
  })

  it('does not take different shapes, ranks or dtypes', () => {
    // @ts-expect-error other sizes
    add(zeros([2, 3]), zeros([3, 2]))
    // @ts-expect-error one other size, and one that is not known
    add(zeros([n, 3]), zeros([n, 4]))
    // @ts-expect-error another rank: nothing is broadcast
    add(zeros([2, 3]), zeros([3]))
    // @ts-expect-error another dtype
    add(zeros([2, 3]), f64)
    // @ts-expect-error integers
    add(i32, i32)
    // @ts-expect-error integers
    relu(i32)
    // @ts-expect-error integers
    softmax(zeros([2], { dtype: 'u8' }))
    // @ts-expect-error a number is no tensor
    add(zeros([2]), 1)
    // @ts-expect-error without a factor
    reorder(zeros([4]), {})
  })
})

describe('conv2d', () => {
  const x = zeros([8, 32, 32, 48])

  it('gives batch, out-channels and dtype', () => {
    expectTypeOf(conv2d(x, zeros([96, 3, 3, 48]))).toEqualTypeOf<Tensor<readonly [8, number, number, 96], 'f32'>>()
    expectTypeOf(conv2d(x, zeros([n, 3, 3, 2]), { groups: 24 })).toEqualTypeOf<
      Images<8, number, number, number, 'f32'>
    >()
  })

  it('takes in-channels that agree, or are not known', () => {
    conv2d(x, zeros([96, 3, 3, 48]), { stride: 2, padding: 1 })
    conv2d(x, zeros([96, 3, 3, 2]), { groups: 24 })
    conv2d(x, zeros([96, 3, 3, 1]), { groups: 48 })
    conv2d(zeros([1, 8, 8, 1024]), zeros([1024, 3, 3, 1]), { groups: 1024 })
    conv2d(zeros([1, 8, 8, 1600]), zeros([1600, 1, 1, 800]), { groups: 2 })
    conv2d(x, zeros([96, 3, 3, 7]), { groups: n })
    conv2d(x, zeros([96, 3, 3, n]))
    conv2d(zeros([8, 32, 32, n]), zeros([96, 3, 3, 5]))
    const options: Conv2dOptions = { groups: 24 }
    conv2d(x, zeros([96, 3, 3, 2]), options)
    const weight: Images = zeros([96, 3, 3, 48])
    conv2d(x, weight)
  })

  it('does not take in-channels that disagree', () => {
    // @ts-expect-error 48 channels, a weight for 32
    conv2d(x, zeros([96, 3, 3, 32]))
    // @ts-expect-error the same, with other options
    conv2d(x, zeros([96, 3, 3, 32]), { stride: 2 })
    // @ts-expect-error 24 groups of 48 channels
    conv2d(x, zeros([96, 3, 3, 48]), { groups: 24 })
    // @ts-expect-error 2 channels without groups
    conv2d(x, zeros([96, 3, 3, 2]))
    // @ts-expect-error 12 groups of 2 channels are 24
    conv2d(x, zeros([96, 3, 3, 2]), { groups: 12 })
    // @ts-expect-error 47 groups of 1 channel
    conv2d(x, zeros([96, 3, 3, 1]), { groups: 47 })
    // A product of more than two digits each way is left to the run time.
    conv2d(x, zeros([96, 3, 3, 100]), { groups: 2 })
  })

  it('does not take other ranks or dtypes', () => {
    // @ts-expect-error an image without its batch
    conv2d(zeros([32, 32, 48]), zeros([96, 3, 3, 48]))
    // @ts-expect-error a matrix for a weight
    conv2d(x, zeros([96, 48]))
    // @ts-expect-error a weight of another dtype
    conv2d(x, zeros([96, 3, 3, 48], { dtype: 'f64' }))
    // @ts-expect-error bytes: cast them first
    conv2d(zeros([8, 32, 32, 48], { dtype: 'u8' }), zeros([96, 3, 3, 48]))
    // @ts-expect-error misspelt
    conv2d(x, zeros([96, 3, 3, 48]), { strides: 2 })
  })
})

describe('igcBlock', () => {
  const x = zeros([8, 32, 32, 48])
  const [primary, secondary] = [zeros([96, 3, 3, 2]), zeros([96, 1, 1, 24])]

  it('gives batch, out-channels and dtype', () => {
    const y = igcBlock(x, primary, secondary, { primaryPartitions: 24, secondaryPartitions: 4, stride: 2, padding: 1 })
    expectTypeOf(y).toEqualTypeOf<Tensor<readonly [8, number, number, 96], 'f32'>>()
    igcBlock(x, primary, zeros([n, 1, 1, n]), { primaryPartitions: 24, secondaryPartitions: n })
    igcBlock(x, primary, zeros([96, 1, 1, 7]), { primaryPartitions: n, secondaryPartitions: n })
    // The quirk: K != L*M.
    igcBlock(x, primary, zeros([96, 1, 1, 48]), { primaryPartitions: 24, secondaryPartitions: 2 })
  })

  it('does not take sizes that disagree', () => {
    const options = { primaryPartitions: 24, secondaryPartitions: 4 } as const
    // @ts-expect-error 24 partitions of 3 channels are 72
    igcBlock(x, zeros([96, 3, 3, 3]), secondary, options)
    // @ts-expect-error 4 partitions of 48 channels are 192
    igcBlock(x, primary, zeros([96, 1, 1, 48]), options)
    // @ts-expect-error the secondary convolution has as many channels out as in
    igcBlock(x, primary, zeros([48, 1, 1, 24]), options)
    // @ts-expect-error the secondary convolution is 1x1
    igcBlock(x, primary, zeros([96, 3, 3, 24]), options)
    // @ts-expect-error 12 partitions of 2 channels are 24
    igcBlock(x, primary, secondary, { primaryPartitions: 12, secondaryPartitions: 4 })
    // @ts-expect-error both partitions are needed
    igcBlock(x, primary, secondary, { primaryPartitions: 24 })
    // @ts-expect-error a weight of another dtype
    igcBlock(x, primary, zeros([96, 1, 1, 24], { dtype: 'f64' }), options)
  })
})

describe('batchNorm2d', () => {
  const x = zeros([8, 4, 4, 16])
  const c = zeros([16])
  const training = { training: true }

  it('keeps shape and dtype', () => {
    expectTypeOf(batchNorm2d(x, c, c, c, c, training)).toEqualTypeOf<Tensor<readonly [8, 4, 4, 16], 'f32'>>()
    expectTypeOf(batchNorm2d(zeros([8, 16]), c, c, c, c, training)).toEqualTypeOf<Tensor<readonly [8, 16], 'f32'>>()
    batchNorm2d(x, zeros([n]), c, zeros([n]), c, training)
    batchNorm2d(zeros([8, 4, 4, n]), c, c, c, c, training)
  })

  it('does not take other channels, ranks or dtypes', () => {
    // @ts-expect-error gamma of 8 channels
    batchNorm2d(x, zeros([8]), c, c, c, training)
    // @ts-expect-error beta of 8 channels
    batchNorm2d(x, c, zeros([8]), c, c, training)
    // @ts-expect-error running statistics of 8 channels
    batchNorm2d(x, c, c, zeros([8]), c, training)
    // @ts-expect-error running statistics of 8 channels
    batchNorm2d(x, c, c, c, zeros([8]), training)
    // @ts-expect-error gamma of another dtype
    batchNorm2d(x, zeros([16], { dtype: 'f64' }), c, c, c, training)
    // @ts-expect-error gamma is a vector
    batchNorm2d(x, zeros([1, 16]), c, c, c, training)
    // @ts-expect-error training or not must be said
    batchNorm2d(x, c, c, c, c, {})
  })
})

describe('pools', () => {
  it('keep batch, channels and dtype', () => {
    const x = zeros([8, 32, 32, 16])
    expectTypeOf(avgPool2d(x, { kernel: 2 })).toEqualTypeOf<Tensor<readonly [8, number, number, 16], 'f32'>>()
    expectTypeOf(maxPool2d(x, { kernel: 2 })).toEqualTypeOf<Tensor<readonly [8, number, number, 16], 'f32'>>()
    expectTypeOf(globalAvgPool2d(x)).toEqualTypeOf<Tensor<readonly [8, 16], 'f32'>>()
  })

  it('take images and a kernel', () => {
    // @ts-expect-error no image
    globalAvgPool2d(zeros([8, 16]))
    // @ts-expect-error without a kernel
    avgPool2d(zeros([8, 32, 32, 16]), {})
    // @ts-expect-error integers
    maxPool2d(zeros([8, 32, 32, 16], { dtype: 'i32' }), { kernel: 2 })
  })
})

describe('linear', () => {
  const x = zeros([8, 16])

  it('gives rows and columns', () => {
    expectTypeOf(linear(x, zeros([10, 16]))).toEqualTypeOf<Tensor<readonly [8, 10], 'f32'>>()
    expectTypeOf(linear(x, zeros([10, 16]), zeros([10]))).toEqualTypeOf<Tensor<readonly [8, 10], 'f32'>>()
    expectTypeOf(linear(zeros([n, 16]), zeros([n, 16]))).toEqualTypeOf<Tensor<readonly [number, number], 'f32'>>()
    expectTypeOf(linear(x, zeros([10, n]), zeros([n]))).toEqualTypeOf<Tensor<readonly [8, 10], 'f32'>>()
    linear(zeros([8, n]), zeros([10, 5]), zeros([10]))
    linear(x, zeros([10, 16]), undefined)
  })

  it('does not take sizes, ranks or dtypes that disagree', () => {
    // @ts-expect-error 16 features, a weight for 12
    linear(x, zeros([10, 12]))
    // @ts-expect-error the weight is [out, in]
    linear(x, zeros([16, 10]))
    // @ts-expect-error a bias of 16 for 10 columns
    linear(x, zeros([10, 16]), zeros([16]))
    // @ts-expect-error images are no rows
    linear(zeros([8, 4, 4, 16]), zeros([10, 16]))
    // @ts-expect-error a weight of another dtype
    linear(x, zeros([10, 16], { dtype: 'f64' }))
    // @ts-expect-error a bias of another dtype
    linear(x, zeros([10, 16]), zeros([10], { dtype: 'f64' }))
  })
})

describe('crossEntropy', () => {
  const logits = zeros([8, 10])
  const labels = zeros([8], { dtype: 'i32' })

  it('gives a scalar', () => {
    expectTypeOf(crossEntropy(logits, labels)).toEqualTypeOf<Tensor<readonly [], 'f32'>>()
    expectTypeOf(crossEntropy(zeros([n, 10]), labels, { labelSmoothing: 0.1 })).toEqualTypeOf<
      Tensor<readonly [], 'f32'>
    >()
    crossEntropy(logits, zeros([n], { dtype: 'i32' }))
  })

  it('takes whole labels, one for every row', () => {
    // @ts-expect-error floating labels
    crossEntropy(logits, zeros([8]))
    // @ts-expect-error labels of another batch
    crossEntropy(logits, zeros([7], { dtype: 'i32' }))
    // @ts-expect-error one-hot labels
    crossEntropy(logits, zeros([8, 10], { dtype: 'i32' }))
    // @ts-expect-error probabilities per image, not per pixel
    crossEntropy(zeros([8, 4, 4, 10]), labels)
    // @ts-expect-error misspelt
    crossEntropy(logits, labels, { smoothing: 0.1 })
  })
})
