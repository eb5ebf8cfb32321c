/** The types of tensors: what is inferred of shape and dtype, and which uses do not compile. Checked by the compiler. */
import { describe, expectTypeOf, it } from 'vitest'
import {
  add,
  type FloatDType,
  type FloatTensor,
  full,
  Generator,
  noGrad,
  ones,
  relu,
  type Scope,
  type Shape,
  scope,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../../src/index.ts'

declare const n: number

describe('creation', () => {
  it('infers the shape', () => {
    expectTypeOf(tensor([1, 2, 3, 4, 5, 6], [2, 3])).toEqualTypeOf<Tensor<readonly [2, 3], 'f32'>>()
    expectTypeOf(tensor([1, 2])).toEqualTypeOf<Tensor<readonly [number], 'f32'>>()
    expectTypeOf(tensor([1], [])).toEqualTypeOf<Tensor<readonly [], 'f32'>>()
    expectTypeOf(zeros([n, 3])).toEqualTypeOf<Tensor<readonly [number, 3], 'f32'>>()
    expectTypeOf(full([4], 1)).toEqualTypeOf<Tensor<readonly [4], 'f32'>>()
    expectTypeOf(new Generator().normal([2, n])).toEqualTypeOf<Tensor<readonly [2, number], 'f32'>>()
  })

  it('infers the dtype from the typed array or the option', () => {
    expectTypeOf(tensor(new Float64Array(2))).toEqualTypeOf<Tensor<readonly [number], 'f64'>>()
    expectTypeOf(tensor(new Int32Array(2), [2])).toEqualTypeOf<Tensor<readonly [2], 'i32'>>()
    expectTypeOf(tensor(new Uint8Array(2))).toEqualTypeOf<Tensor<readonly [number], 'u8'>>()
    expectTypeOf(tensor(new Float32Array(2))).toEqualTypeOf<Tensor<readonly [number], 'f32'>>()
    expectTypeOf(tensor([1], [1], { dtype: 'i32' })).toEqualTypeOf<Tensor<readonly [1], 'i32'>>()
    expectTypeOf(tensor([1], [1], { device: 'reference' })).toEqualTypeOf<Tensor<readonly [1], 'f32'>>()
    expectTypeOf(ones([1], { dtype: 'f64' }).dataSync()).toEqualTypeOf<Float64Array>()
    expectTypeOf(zeros([1], { dtype: 'u8' }).data()).toEqualTypeOf<Promise<Uint8Array>>()
  })

  it('does not guess shape and dtype from what is expected of the result', () => {
    // @ts-expect-error plain numbers are f32
    const labels: Tensor<readonly [1], 'i32'> = tensor([1], [1])
    // @ts-expect-error zeros are f32
    const bytes: Tensor<readonly [1], 'u8'> = zeros([1])
    // @ts-expect-error random numbers are f32
    const exact: Tensor<readonly [1], 'f64'> = new Generator().normal([1])
    // @ts-expect-error the length of an array is not known
    const pair: Tensor<readonly [2], 'f32'> = tensor([1, 2, 3])
    expectTypeOf([labels, bytes, exact, pair]).toExtend<Tensor[]>()
  })

  it('does not take what makes no sense', () => {
    // @ts-expect-error there is no such dtype
    zeros([1], { dtype: 'f8' })
    // @ts-expect-error there is no such device
    zeros([1], { device: 'gpu' })
    // @ts-expect-error a shape is an array
    zeros(3)
    // @ts-expect-error strings are no numbers
    tensor(['1'])
    // @ts-expect-error values are one flat array
    tensor([[1, 2]])
    // @ts-expect-error the generator draws floats only
    new Generator().uniform([1], { dtype: 'i32' })
    // @ts-expect-error misspelt
    zeros([1], { requireGrad: true })
  })
})

describe('methods', () => {
  const x = zeros([2, 3])

  it('keep or change shape and dtype', () => {
    expectTypeOf(x.reshape([6])).toEqualTypeOf<Tensor<readonly [6], 'f32'>>()
    expectTypeOf(x.cast('i32')).toEqualTypeOf<Tensor<readonly [2, 3], 'i32'>>()
    expectTypeOf(x.clone()).toEqualTypeOf<Tensor<readonly [2, 3], 'f32'>>()
    expectTypeOf(x.detach()).toEqualTypeOf<Tensor<readonly [2, 3], 'f32'>>()
    expectTypeOf(x.grad).toEqualTypeOf<Tensor<readonly [2, 3], 'f32'> | undefined>()
    expectTypeOf(x.shape).toEqualTypeOf<readonly [2, 3]>()
    expectTypeOf(x.item()).toEqualTypeOf<Promise<number>>()
  })

  it('do not take another dtype or shape', () => {
    x.assign(zeros([2, 3]))
    x.assign(new Float32Array(6))
    // @ts-expect-error another shape
    x.assign(zeros([3, 2]))
    // @ts-expect-error another dtype
    x.assign(zeros([2, 3], { dtype: 'i32' }))
    // @ts-expect-error the array of another dtype
    x.assign(new Float64Array(6))
    // @ts-expect-error there is no such dtype
    x.cast('bool')
    // @ts-expect-error the gradient of another shape
    x.backward(zeros([3]))
    // @ts-expect-error shape, dtype and device are fixed
    x.shape = [3, 2]
    // @ts-expect-error whether a tensor was disposed of is not for setting
    x.disposed = true
  })

  it('fit what is known less of', () => {
    expectTypeOf(x).toExtend<Tensor>()
    expectTypeOf(x).toExtend<FloatTensor>()
    expectTypeOf(x).toExtend<Tensor<Shape, FloatDType>>()
    expectTypeOf(x).toExtend<Tensor<readonly [number, 3], 'f32'>>()
    expectTypeOf(x).not.toExtend<Tensor<readonly [2, 4], 'f32'>>()
    expectTypeOf(x).not.toExtend<Tensor<readonly [2, 3], 'f64'>>()
    expectTypeOf(x).not.toExtend<Tensor<readonly [2], 'f32'>>()
    expectTypeOf(zeros([1], { dtype: 'i32' })).not.toExtend<FloatTensor>()
  })
})

describe('scopes', () => {
  it('work with using, and keep gives back the type', () => {
    using step = scope()
    expectTypeOf(step).toEqualTypeOf<Scope>()
    expectTypeOf(step.keep(zeros([2, 3]))).toEqualTypeOf<Tensor<readonly [2, 3], 'f32'>>()
    using x = zeros([1])
    expectTypeOf(x).toExtend<Disposable>()
    // @ts-expect-error a scope keeps tensors
    step.keep(7)
  })

  it('tidy and noGrad give back what their body gives', () => {
    expectTypeOf(tidy(() => relu(zeros([2])))).toEqualTypeOf<Tensor<readonly [2], 'f32'>>()
    expectTypeOf(tidy(async () => 7)).toEqualTypeOf<Promise<number>>()
    expectTypeOf(noGrad(() => add(ones([2]), ones([2])))).toEqualTypeOf<Tensor<readonly [2], 'f32'>>()
    expectTypeOf(noGrad(async () => 'x')).toEqualTypeOf<Promise<string>>()
    // @ts-expect-error a body, not a value
    noGrad(zeros([1]))
  })
})
