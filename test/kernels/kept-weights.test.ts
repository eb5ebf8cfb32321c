/** Weights in the order of the loops are kept between forward passes (native/cpu/kept_weights.h), but not if they change. */
import { expect, it } from 'vitest'
import { type NativeTensor, native } from '../../src/native.ts'
import { DEVICE } from '../support/kernel-compare.ts'

const make = (shape: number[], value: (i: number) => number) =>
  native.tensorCreate(
    { device: DEVICE, dtype: 'f32', shape },
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => value(i)),
  )
const [L, M, C] = [6, 4, 24]
const shapes = { primary: [C, 3, 3, M], secondary: [C, 1, 1, L] }
const wave = (i: number) => Math.sin(1.7 * i)
const change = (place: number) => (i: number) => (i === place ? 3 : wave(i))

const partitions = { primaryPartitions: L, secondaryPartitions: M, stride: 1, padding: 1 }
const uses = { xRelu: false, needsStatistics: false, needsZ: false }
const forward = (x: NativeTensor, primary: NativeTensor, secondary: NativeTensor) => [
  ...native.tensorReadSync(native.igcBlockForward(x, primary, secondary, { ...partitions, ...uses }).y),
]

it('a block sees each weight that changes in place, of both convolutions', () => {
  const x = make([1, 5, 7, C], wave)
  const [primary, secondary] = [make(shapes.primary, wave), make(shapes.secondary, wave)]
  const before = forward(x, primary, secondary)
  expect(forward(x, primary, secondary)).toEqual(before)
  for (const [name, kept] of [
    ['primary', primary],
    ['secondary', secondary],
  ] as const) {
    const { length } = native.tensorReadSync(kept)
    for (const place of [0, 7, length - 1]) {
      const other = make(shapes[name], change(place))
      native.copyInto(other, kept)
      const fresh = name === 'primary' ? forward(x, other, secondary) : forward(x, primary, other)
      expect(fresh).not.toEqual(before)
      expect(forward(x, primary, secondary)).toEqual(fresh)
      native.copyInto(make(shapes[name], wave), kept)
    }
  }
  expect(forward(x, primary, secondary)).toEqual(before)
})

it('a block sees the weights that come to the place of others, and images of other sizes', () => {
  const secondary = make(shapes.secondary, wave)
  const images = [5, 8, 17].map(size => make([1, size, size, C], wave))
  const expected = images.map(x =>
    [1, 2].map(scale =>
      forward(
        x,
        make(shapes.primary, i => scale * wave(i)),
        secondary,
      ),
    ),
  )
  for (let round = 0; round < 4; round++) {
    for (const [i, x] of images.entries()) {
      for (const scale of [1, 2]) {
        const primary = make(shapes.primary, j => scale * wave(j))
        expect(forward(x, primary, secondary)).toEqual(expected[i]?.[scale - 1])
        native.tensorDispose(primary) // the next one takes its memory
      }
    }
  }
})
