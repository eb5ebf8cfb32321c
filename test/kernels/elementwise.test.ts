/** add, relu, relu6 and addRelu: `cpu` gives the numbers of `reference` for every length around the vector widths, and NaN and infinity. */
import { expect, it } from 'vitest'
import { type NativeTensor, native } from '../../src/native.ts'
import { DEVICE, expectExact, integers, type Place, runKernel, type Values } from '../support/kernel-compare.ts'

const SHAPES = [...Array.from({ length: 70 }, (_, i) => [i]), [], [3, 5, 7, 11], [2, 32, 32, 48], [100_003]]
const KEEP = { overwriteDy: false }
const SPECIAL: Values = {
  shape: [5],
  data: Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY, -2, 3, Number.NEGATIVE_INFINITY),
}

it.each(SHAPES.map(shape => [shape] as const))('add and relu of [%s]', shape => {
  return expectExact(put => {
    const [a, b] = [put(integers(shape, 1)), put(integers(shape, 2))]
    const y = native.reluForward(a)
    return { sum: native.addForward(a, b), y, dx: native.reluBackwardInput(b, y) }
  })
})

it.each(SHAPES.map(shape => [shape] as const))('relu6 of [%s]', shape => {
  return expectExact(put => {
    const x = integers(shape, 1)
    const y = native.relu6Forward(put({ ...x, data: x.data.map(value => 2.5 * value) })) // from -7.5 to 7.5
    return { y, dx: native.relu6BackwardInput(put(integers(shape, 2)), y) }
  })
})

/** A norm [4, C] with exact results: mean, invStd, gamma, beta. */
function norm(C: number, seed: number): Values {
  const rows = [integers([C], seed).data, integers([C], seed + 1).data.map(v => 2 ** v), integers([C], seed + 2).data]
  const beta = integers([C], seed + 3).data.map(value => Math.abs(value) + 6) // a ReLU must not hide all of one channel
  return { shape: [4, C], data: Float64Array.from([...rows, beta].flatMap(row => [...row])) }
}

const MAPS = [...Array.from({ length: 40 }, (_, i) => [3, i + 1]), [0, 5], [2, 0], [5, 7, 11, 3], [2, 32, 32, 48]]

const LARGE = [16, 64, 64, 16] // 4 MiB: as large as those that `cpu` writes past the caches (native/cpu/streams.h)

it.each([...MAPS, LARGE].map(shape => [shape] as const))('addRelu of [%s] with every kind of norms', shape => {
  const C = shape[shape.length - 1] as number
  return expectExact(put => {
    const [a, b, aNorm, bNorm] = [put(integers(shape, 1)), put(integers(shape, 2)), put(norm(C, 3)), put(norm(C, 7))]
    const add = (aRelu: boolean, bRelu: boolean, ...norms: (NativeTensor | undefined)[]) =>
      native.addReluForward(a, b, { aRelu, bRelu }, ...norms)
    return {
      plain: add(false, false),
      left: add(false, false, aNorm),
      right: add(true, false, undefined, bNorm),
      rightRelu: add(false, true, undefined, bNorm),
      both: add(false, false, aNorm, bNorm),
      bothRelu: add(true, true, aNorm, bNorm),
    }
  })
})

it.each(MAPS.map(shape => [shape] as const))(
  'the gradient of addRelu of [%s], with and without the sums of a norm',
  shape => {
    const C = shape[shape.length - 1] as number
    return expectExact(put => {
      const [dy, more, y] = [put(integers(shape, 1)), put(integers(shape, 2)), put(integers(shape, 3))]
      const [x, xNorm] = [put(integers(shape, 4)), put(norm(C, 5))]
      const [plain, both] = [native.addReluBackward(dy, y, KEEP), native.addReluBackward(dy, y, KEEP, more)]
      const normed = native.addReluBackward(dy, y, KEEP, undefined, x, xNorm)
      const all = native.addReluBackward(dy, y, KEEP, more, x, xNorm)
      const over = native.addReluBackward(put(integers(shape, 1)), y, { overwriteDy: true }, more, x, xNorm)
      return {
        ...{ plain: plain.dv, both: both.dv },
        ...{ normed: normed.dv, normedGamma: normed.gamma, normedBeta: normed.beta },
        ...{ all: all.dv, allGamma: all.gamma, allBeta: all.beta },
        ...{ over: over.dv, overGamma: over.gamma, overBeta: over.beta },
      } as Record<string, NativeTensor>
    })
  },
)

it('the gradient of addRelu takes a side and its norm together', () => {
  const make = (shape: number[], count: number) =>
    native.tensorCreate({ device: DEVICE, dtype: 'f32', shape }, new Float32Array(count))
  const [map, rows] = [make([2, 3, 4], 24), make([4, 4], 16)]
  expect(() => native.addReluBackward(map, map, KEEP, undefined, map)).toThrow(/addRelu: expected .*xNorm/)
  expect(() => native.addReluBackward(map, map, KEEP, undefined, undefined, rows)).toThrow(/addRelu: expected .*x /)
  for (const handle of [map, rows]) native.tensorDispose(handle)
})

it.each([
  { device: 'reference', dtype: 'f32' },
  { device: DEVICE, dtype: 'f32' },
] satisfies Place[])('relu on $device passes NaN on, and no gradient at zero or NaN', place => {
  const outputs = runKernel(put => {
    const y = native.reluForward(put(SPECIAL))
    const dy = put({ shape: [5], data: Float64Array.of(1, 2, 3, 4, 5) })
    return { y, dx: native.reluBackwardInput(dy, y) }
  }, place)
  expect(outputs.get('y')).toEqual(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 0, 3, 0))
  expect(outputs.get('dx')).toEqual(Float32Array.of(0, 2, 0, 4, 0))
})

it.each([
  { device: 'reference', dtype: 'f32' },
  { device: DEVICE, dtype: 'f32' },
] satisfies Place[])('relu6 on $device passes NaN on, and no gradient at zero, six or NaN', place => {
  const outputs = runKernel(put => {
    const y = native.relu6Forward(put({ shape: [7], data: Float64Array.of(...SPECIAL.data, 6, 5.5) }))
    const dy = put({ shape: [7], data: Float64Array.of(1, 2, 3, 4, 5, 6, 7) })
    return { y, dx: native.relu6BackwardInput(dy, y) }
  }, place)
  expect(outputs.get('y')).toEqual(Float32Array.of(Number.NaN, 6, 0, 3, 0, 6, 5.5))
  expect(outputs.get('dx')).toEqual(Float32Array.of(0, 0, 0, 4, 0, 0, 7))
})
