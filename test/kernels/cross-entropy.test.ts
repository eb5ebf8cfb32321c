/**
 * crossEntropy: the error of `cpu` is at most twice that of `reference` in f32, with and without label smoothing; huge
 * logits do not overflow. The definition is held by test/golden (PyTorch).
 */
import { describe, expect, it } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { native } from '../../src/native.ts'
import { DEVICE, expectClose, labels, normals, runKernel } from '../support/kernel-compare.ts'

describe.each([0, 0.1, 1])('crossEntropy, label smoothing %f', labelSmoothing => {
  it.each([
    [1, 1],
    [1, 10],
    [7, 3],
    [64, 10],
    [64, 100],
    [2, 1000],
    [1000, 2],
  ])('of [%i, %i]', async (N, K) => {
    for (const deviation of [1, 30]) {
      await expectClose(put => {
        const logits = put(normals([N, K], 1, 0, deviation))
        const target = put(labels([N], K, 2))
        const { loss, probabilities } = native.crossEntropyForward(logits, target, { labelSmoothing })
        const dloss = put({ shape: [], data: Float64Array.of(1.5) })
        const dlogits = native.crossEntropyBackwardInput(dloss, probabilities, target, { labelSmoothing })
        return { loss, probabilities, dlogits }
      })
    }
  })
})

it.each(['reference', DEVICE])('crossEntropy on %s of a label that is no class: NaN, and no gradient', device => {
  const put = <A extends Float32Array | Int32Array>(data: A, shape: number[]) =>
    native.tensorCreate({ device, dtype: data instanceof Int32Array ? 'i32' : 'f32', shape }, data)
  const logits = put(Float32Array.of(1, 2, 3, 4, 5, 7, 1, 1, 1), [3, 3])
  for (const label of [3, -1, 2 ** 31 - 1]) {
    const message = `crossEntropy: expected labels from 0 to 2 but received ${label} at index 1`
    const target = put(Int32Array.of(0, label, 2), [3])
    const { loss, probabilities } = native.crossEntropyForward(logits, target, { labelSmoothing: 0.1 })
    expect(() => native.tensorReadSync(loss)).toThrow(new DataError(message))
    expect([...native.tensorReadSync(loss)]).toEqual([Number.NaN])
    const one = put(Float32Array.of(1), [])
    const dlogits = native.crossEntropyBackwardInput(one, probabilities, target, { labelSmoothing: 0.1 })
    expect(() => native.tensorReadSync(dlogits)).toThrow(new DataError(message))
    const gradient = [...native.tensorReadSync(dlogits)]
    expect(gradient.map(value => value !== 0)).toEqual([true, true, true, false, false, false, true, true, true])
    expect(gradient.every(Number.isFinite)).toBe(true)
  }
})

it.each(['reference', DEVICE])('crossEntropy on %s of huge logits', device => {
  const outputs = runKernel(
    put => {
      const logits = put({ shape: [1, 2], data: Float64Array.of(1e6, 0) })
      return native.crossEntropyForward(logits, put({ shape: [1], data: Int32Array.of(1) }), { labelSmoothing: 0 })
    },
    { device, dtype: 'f32' },
  )
  expect(outputs.get('loss')).toEqual(Float32Array.of(1e6))
  expect(outputs.get('probabilities')).toEqual(Float32Array.of(1, 0))
})
