/** softmax: the error of `cpu` is at most twice that of `reference` in f32; huge logits do not overflow. */
import { expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { DEVICE, expectClose, normals, runKernel } from '../support/kernel-compare.ts'

const SHAPES = [[1, 1], [0, 5], [1, 10], [7, 3], [3, 17], [64, 10], [64, 100], [2, 1000], [5], [2, 3, 4]]

it.each(SHAPES.map(shape => [shape] as const))('softmax of [%s]', async shape => {
  for (const deviation of [1, 30]) {
    await expectClose(put => {
      const y = native.softmaxForward(put(normals(shape, 1, 0, deviation)))
      return { y, dx: native.softmaxBackwardInput(put(normals(shape, 2)), y) }
    })
  }
})

it.each(['reference', DEVICE])('softmax on %s of huge logits', device => {
  const outputs = runKernel(
    put => ({ y: native.softmaxForward(put({ shape: [2, 2], data: Float64Array.of(3e38, 3e38, -3e38, 3e38) })) }),
    { device, dtype: 'f32' },
  )
  expect(outputs.get('y')).toEqual(Float32Array.of(0.5, 0.5, 0, 1))
})
