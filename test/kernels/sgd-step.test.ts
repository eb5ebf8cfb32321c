/** sgdStep, three steps in place: the error of `cpu` is at most twice that of `reference` in f32. */
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { DEVICE, expectClose, normals, runKernel } from '../support/kernel-compare.ts'

const SIZES = [0, 1, 3, 4, 7, 8, 15, 16, 17, 33, 1000, 40_003]
const PARAMS = [
  { lr: 0.1, momentum: 0, weightDecay: 0, nesterov: false },
  { lr: 0.1, momentum: 0.9, weightDecay: 0, nesterov: false },
  { lr: 0.1, momentum: 0.9, weightDecay: 0.01, nesterov: true },
]

describe.each(PARAMS)('sgdStep %o', params => {
  it.each(SIZES)('of %i elements', size => {
    return expectClose(put => {
      const [w, v] = [put(normals([size], 1)), put(normals([size], 2, 0, 0.1))]
      for (const seed of [3, 4, 5]) native.sgdStep([put(normals([size], seed))], [w], [v], params)
      return { w, v }
    })
  })
})

it('sgdStep of all sizes at once, and of more parameters than a launch takes', () => {
  const sizes = [...SIZES, ...Array.from({ length: 200 }, (_, i) => i % 7)]
  return expectClose(put => {
    const parameters = sizes.map((size, i) => ({
      g: put(normals([size], 1000 + i)),
      w: put(normals([size], i)),
      v: put(normals([size], 500 + i, 0, 0.1)),
    }))
    const [gs, ws, vs] = (['g', 'w', 'v'] as const).map(name => parameters.map(parameter => parameter[name]))
    native.sgdStep(gs ?? [], ws ?? [], vs ?? [], { lr: 0.1, momentum: 0.9, weightDecay: 0.01, nesterov: true })
    return Object.fromEntries(parameters.flatMap(({ w, v }, i) => [[`w${i}`, w] as const, [`v${i}`, v] as const]))
  })
})

it.each(['reference', DEVICE])('sgdStep on %s: one step by hand', device => {
  const outputs = runKernel(
    put => {
      const [w, v] = [put({ shape: [1], data: Float64Array.of(2) }), put({ shape: [1], data: Float64Array.of(4) })]
      const g = put({ shape: [1], data: Float64Array.of(1) })
      native.sgdStep([g], [w], [v], { lr: 0.5, momentum: 0.25, weightDecay: 0.5, nesterov: true })
      return { w, v }
    },
    { device, dtype: 'f32' },
  )
  expect(outputs.get('v')).toEqual(Float32Array.of(3)) // 0.25 * 4 + (1 + 0.5 * 2)
  expect(outputs.get('w')).toEqual(Float32Array.of(0.625)) // 2 - 0.5 * (2 + 0.25 * 3)
})
