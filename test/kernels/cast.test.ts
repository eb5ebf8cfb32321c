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

/** The two types of 16 bits, from their definition. */
const HALVES = {
  bf16: { fraction: 7, least: -126, largest: 3.3895313892515355e38 },
  f16: { fraction: 10, least: -14, largest: 65504 },
}
type Half = keyof typeof HALVES

function nearest(value: number, half: Half): number {
  const { fraction, least, largest } = HALVES[half]
  if (!Number.isFinite(value) || value === 0) return value
  const magnitude = Math.abs(value)
  const unit = 2 ** (Math.max(least, Math.floor(Math.log2(magnitude))) - fraction)
  const [low, share] = [Math.floor(magnitude / unit), magnitude / unit - Math.floor(magnitude / unit)]
  const rounded = (share > 0.5 || (share === 0.5 && low % 2 !== 0) ? low + 1 : low) * unit
  return Math.sign(value) * (rounded > largest ? inf : rounded)
}

/** The value of a pattern of bits. */
function decoded(bits: number, half: Half): number {
  const { fraction, least } = HALVES[half]
  const [sign, exponent, rest] = [bits >> 15 ? -1 : 1, (bits & 0x7fff) >> fraction, bits & (2 ** fraction - 1)]
  if (exponent === 2 ** (15 - fraction) - 1) return rest === 0 ? sign * inf : nan
  const magnitude =
    exponent === 0 ? rest * 2 ** (least - fraction) : (1 + rest / 2 ** fraction) * 2 ** (exponent - 1 + least)
  return sign * magnitude
}

describe.each(['reference', DEVICE].flatMap(device => (['bf16', 'f16'] as const).map(half => ({ device, half }))))(
  '$device, $half',
  ({ device, half }) => {
    const read = (x: ReturnType<typeof native.cast>, dtype: string) => [
      ...native.tensorReadSync(native.cast(x, { dtype })),
    ]
    const create = (dtype: string, data: TypedArray) =>
      native.tensorCreate({ device, dtype, shape: [data.length] }, data)
    const { fraction } = HALVES[half]
    const values = [
      0,
      1,
      1 / 3,
      65504,
      65519.99,
      65520,
      1e-8,
      6e-8,
      2 ** -25,
      2 ** -24,
      3 * 2 ** -25,
      6.1e-5,
      3.4e38,
      inf,
      nan,
    ]
      .concat(Array.from({ length: 400 }, (_, i) => (1 + i * 2 ** -(fraction + 2)) * 2 ** ((i % 60) - 30)))
      .flatMap(value => [value, -value])

    it('has the values of all patterns of bits', () => {
      const patterns = Uint16Array.from({ length: 1 << 16 }, (_, i) => i)
      const x = create(half, patterns)
      expect(read(x, 'f32')).toEqual([...patterns].map(bits => decoded(bits, half)))
      expect(read(x, 'i32')).toEqual([...patterns].map(bits => converted(decoded(bits, half), 'i32')))
      expect(read(native.cast(x, { dtype: 'f32' }), 'f32').length).toBe(1 << 16)
    })

    it('is rounded to from f32, i32 and u8', () => {
      const floats = Float32Array.from(values)
      expect(read(native.cast(create('f32', floats), { dtype: half }), 'f32')).toEqual(
        [...floats].map(x => nearest(x, half)),
      )
      const integers = Int32Array.from([0, 1, -1, 255, 257, 2049, 2051, 16777217, -(2 ** 31), 2 ** 31 - 1])
      expect(read(native.cast(create('i32', integers), { dtype: half }), 'f32')).toEqual(
        [...integers].map(x => nearest(x, half)),
      )
    })

    it('is filled', () => {
      const x = native.tensorCreate({ device, dtype: half, shape: [9] })
      native.fill(x, { value: 1 / 3 })
      expect(read(x, 'f32')).toEqual(new Array(9).fill(nearest(1 / 3, half)))
    })
  },
)

it.each(['bf16', 'f16'] as const)('reference rounds from f64 to %s once', half => {
  // Just over and under the middle between two values, by less than f32 has: rounded to f32 first they would be ties.
  const middle = 1 + 2 ** -(HALVES[half].fraction + 1)
  const doubles = Float64Array.of(middle, middle * (1 + 2 ** -40), -middle * (1 - 2 ** -40), 1e-300, -1e300, 1 / 3, nan)
  const x = native.tensorCreate({ device: 'reference', dtype: 'f64', shape: [doubles.length] }, doubles)
  const rounded = native.cast(native.cast(x, { dtype: half }), { dtype: 'f32' })
  expect([...native.tensorReadSync(rounded)]).toEqual([...doubles].map(value => nearest(value, half)))
})
