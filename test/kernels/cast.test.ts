/**
 * cast, fill and copyInto on both devices and over all pairs of dtypes: to integers by truncation towards zero, saturating,
 * NaN to 0; to floats by rounding to the nearest. (`cpu` has no f64.)
 */
import '../support/debug-memory.ts'
import { describe, expect, it } from 'vitest'
import { native, type TypedArray } from '../../src/native.ts'
import { DEVICE } from '../support/kernel-compare.ts'

const ARRAYS = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array }
type Name = keyof typeof ARRAYS

const { NaN: nan, POSITIVE_INFINITY: inf } = Number
const FLOATS = [0, 1, -1, 0.5, -0.5, 1.99, -1.99, 254.9, 255, 255.5, 256, 300, 1e9, 2147483520, 2147483648, 1e20, -1e20]
const VALUES: Record<Name, number[]> = {
  f32: [...FLOATS, -2147483648, 16777217, inf, -inf, nan, 1e-40, 3.3],
  f64: [...FLOATS, -2147483648, 2147483646.7, 16777217, inf, -inf, nan, 1e300, 1e-300, 3.3],
  i32: [0, 1, -1, 255, 256, -256, 16777217, 2147483647, -2147483648],
  u8: [0, 1, 127, 128, 254, 255],
}

function converted(value: number, to: Name): number {
  if (to === 'f64') return value
  if (to === 'f32') return Math.fround(value)
  if (Number.isNaN(value)) return 0
  const [low, high] = to === 'u8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1]
  return Math.min(Math.max(Math.trunc(value), low), high) + 0 // no negative zero
}

/** `values` over and over. */
function repeated(name: Name, values: readonly number[], length: number): TypedArray {
  return ARRAYS[name].from(Array.from({ length }, (_, i) => values[i % values.length] as number))
}

const pairs = ['reference', DEVICE].flatMap(device => {
  const names = (Object.keys(ARRAYS) as Name[]).filter(name => device === 'reference' || name !== 'f64')
  return names.flatMap(from => names.map(to => ({ device, from, to })))
})

describe.each(pairs)('$device, $from to $to', ({ device, from, to }) => {
  it('cast', () => {
    for (const length of [VALUES[from].length, 0, 1, 1001]) {
      const data: TypedArray = repeated(from, VALUES[from], length)
      const x = native.tensorCreate({ device, dtype: from, shape: [length] }, data)
      const expected = ARRAYS[to].from(Array.from(data, value => converted(value, to)))
      expect(native.tensorReadSync(native.cast(x, { dtype: to }))).toEqual(expected)
    }
  })
})

describe.each(pairs.filter(({ from, to }) => from === to))('$device, $to', ({ device, to }) => {
  const empty = (length: number) => native.tensorCreate({ device, dtype: to, shape: [length] })

  it('fill', () => {
    for (const value of VALUES.f64) {
      for (const length of [0, 1, 7, 1001]) {
        const x = empty(length)
        native.fill(x, { value })
        expect(native.tensorReadSync(x)).toEqual(ARRAYS[to].from(new Array(length).fill(converted(value, to))))
      }
    }
  })

  it('copyInto', () => {
    for (const length of [0, 1, 7, 1001]) {
      const data = repeated(to, [...Array(251).keys()], length)
      const y = empty(length)
      native.copyInto(native.tensorCreate({ device, dtype: to, shape: [length] }, data), y)
      expect(native.tensorReadSync(y)).toEqual(data)
    }
  })
})
