/** An `assign` that is refused changes nothing: no values, no count of updates, no memory. */
import { describe, expect, it } from 'vitest'
import { DisposedError, device, full, linear, relu, scope, type Tensor, zeros } from '../../src/index.ts'

describe('an assign that is refused', () => {
  it('is no change that a backward pass minds', () => {
    using _all = scope()
    const w = full([1, 3], 2, { requiresGrad: true })
    const y = linear(full([1, 3], 1), w)
    expect(() => w.assign(new Float32Array(2))).toThrow('assign: expected 3 values')
    y.backward()
    expect(w.grad?.dataSync()).toEqual(new Float32Array(3).fill(1))
  })

  it('keeps nothing', () => {
    const { allocations } = device.memory()
    const x = zeros([2], { dtype: 'bf16' })
    x.dispose()
    for (let i = 0; i < 3; i++) expect(() => x.assign(new Float32Array(2))).toThrow(DisposedError)
    expect(device.memory().allocations).toBe(allocations)
  })

  it('of the last of many reshapes says so', () => {
    using _all = scope()
    let y = relu(full([4], 1, { requiresGrad: true })) as Tensor<readonly [4], 'f32'>
    for (let i = 0; i < 20_000; i++) y = y.reshape([4])
    expect(() => y.assign(new Float32Array(4))).toThrow('assign: expected a leaf but received the result of relu')
  })
})
