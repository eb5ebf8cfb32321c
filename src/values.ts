/** What JavaScript brings as the values of a tensor. Checked in test/unit/tensor.test.ts. */
import { types } from 'node:util'
import { type ArrayOf, arrays, type DType } from './dtype.ts'
import { DTypeError } from './errors.ts'

/** What a value is, in words: "undefined", "-3", "a string", "an object". */
export function inWords(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') {
    return String(value)
  }
  if (Array.isArray(value)) return 'an array'
  return /^[aeiou]/.test(typeof value) ? `an ${typeof value}` : `a ${typeof value}`
}

/** The options of an op, from plain JavaScript too. @throws TypeError for what is no object */
export function expectOptions(op: string, options: unknown): asserts options is object {
  if (typeof options === 'object' && options !== null) return
  throw new TypeError(`${op}: expected an object of options but received ${inWords(options)}`)
}

export type Source = ArrayOf<DType> | readonly number[]
export type DTypeOf<A extends Source> = A extends Float64Array
  ? 'f64'
  : A extends Int32Array
    ? 'i32'
    : A extends Uint8Array
      ? 'u8'
      : 'f32'

/** That of the typed array, also of one from another realm (node:vm, Jest). */
export function dtypeOf(data: Source): DType {
  if (types.isFloat64Array(data)) return 'f64'
  if (types.isInt32Array(data)) return 'i32'
  return types.isUint8Array(data) ? 'u8' : 'f32'
}

const integerLimits: Partial<Record<DType, readonly [number, number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u8: [0, 255],
}

/** The values as a typed array of the dtype, converted as `cast` does. */
export function valuesOf(data: Source, dtype: DType): ArrayOf<DType> {
  if (!Object.hasOwn(arrays, dtype)) {
    throw new DTypeError(`tensor: expected f32, f64, i32, u8, bf16 or f16 for dtype but received ${String(dtype)}`)
  }
  checkNumbers(data)
  const array = arrays[dtype]
  if (data instanceof array) return data
  const limits = integerLimits[dtype]
  return array.from(limits ? Array.from(data, value => Math.min(Math.max(value, limits[0]), limits[1])) : data)
}

/** Methods of typed arrays refuse an array whose memory is gone: `length` is 0 then, as that of an empty one. */
const readFirst = Float32Array.prototype.at

function checkNumbers(data: unknown): void {
  const isNumbers =
    ArrayBuffer.isView(data) && 'at' in data && !(types.isBigInt64Array(data) || types.isBigUint64Array(data))
  if (isNumbers) {
    try {
      readFirst.call(data as Float32Array, 0)
    } catch (error) {
      throw new TypeError('tensor: expected a typed array with memory but that of data was transferred or cut off', {
        cause: error,
      })
    }
    return
  }
  const wrong = Array.isArray(data) ? data.findIndex(value => typeof value !== 'number') : 0
  if (Array.isArray(data) && wrong < 0) return
  const received = Array.isArray(data) ? `${inWords(data[wrong])} at position ${wrong}` : inWords(data)
  throw new TypeError(`tensor: expected a typed array or an array of numbers for data but received ${received}`)
}
