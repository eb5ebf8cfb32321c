/**
 * Compares the kernels of a device, `cpu` by default, with `reference`, which in float64 is the specification. A kernel test is a function
 * that puts its inputs on whatever device it is given and returns the outputs by name; it runs three times: reference
 * in f64, reference in f32, the device in f32. The verdicts themselves are tested in kernel-compare.test.ts.
 */
import './debug-memory.ts'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { type NativeTensor, native, type TypedArray } from '../../src/native.ts'

/** A row-major array that is the same in every run: floating values are exact in f32. */
export interface Values {
  readonly shape: readonly number[]
  readonly data: Float64Array | Int32Array
}

/** Makes an input; the floating dtype is that of the run, Int32Array becomes i32. */
export type Put = (values: Values) => NativeTensor
export type Kernel = (put: Put, place: Place) => Record<string, NativeTensor>
type Outputs = Map<string, TypedArray>
export interface Place {
  readonly device: string
  readonly dtype: 'f32' | 'f64'
}

/** The device that is compared with reference: IGCNET_TEST_DEVICE, or cpu. */
export const DEVICE = process.env.IGCNET_TEST_DEVICE || 'cpu'

const SPECIFICATION: Place = { device: 'reference', dtype: 'f64' }
const SINGLE: readonly Place[] = [
  { device: 'reference', dtype: 'f32' },
  { device: DEVICE, dtype: 'f32' },
]

const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function uniforms(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b9)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function generated<A extends Float64Array | Int32Array>(shape: readonly number[], data: A, next: () => number) {
  for (let i = 0; i < data.length; i++) data[i] = next()
  return { shape, data }
}

/** Integers -3..3 without 0, the first positive: products and sums of them are exact in f32 below 2^24. */
export function integers(shape: readonly number[], seed: number): Values {
  const next = uniforms(seed)
  const choices = [-3, -2, -1, 1, 2, 3]
  const values = generated(shape, new Float64Array(elements(shape)), () => choices[Math.floor(6 * next())] as number)
  if (values.data.length > 0) values.data[0] = Math.abs(values.data[0] as number)
  return values
}

/** Normally distributed, exact in f32. */
export function normals(shape: readonly number[], seed: number, mean = 0, deviation = 1): Values {
  const next = uniforms(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  return generated(shape, new Float64Array(elements(shape)), () => Math.fround(mean + deviation * normal()))
}

/** Integers 0..classes-1 as i32. */
export function labels(shape: readonly number[], classes: number, seed: number): Values {
  const next = uniforms(seed)
  return generated(shape, new Int32Array(elements(shape)), () => Math.floor(classes * next()))
}

function typed({ data }: Values, dtype: 'f32' | 'f64', value?: number): { dtype: string; data: TypedArray } {
  if (data instanceof Int32Array) return { dtype: 'i32', data }
  const filled = value === undefined ? data : new Float64Array(data.length).fill(value)
  return { dtype, data: dtype === 'f32' ? new Float32Array(filled) : filled }
}

/** Runs the kernel on a device; with `value` every floating input is filled with it. */
export function runKernel(kernel: Kernel, place: Place, value?: number): Outputs {
  const { device, dtype } = place
  const handles: NativeTensor[] = []
  const put: Put = values => {
    const { data, dtype: inputDType } = typed(values, dtype, value)
    const handle = native.tensorCreate({ device, dtype: inputDType, shape: values.shape }, data)
    handles.push(handle)
    return handle
  }
  const broken = native.deviceMemory(device).brokenFences
  const outputs = Object.entries(kernel(put, place))
  const read = new Map(outputs.map(([name, handle]) => [name, native.tensorReadSync(handle)]))
  for (const handle of new Set([...handles, ...outputs.map(([, handle]) => handle)])) native.tensorDispose(handle)
  native.deviceSynchronize(device)
  if (native.deviceMemory(device).brokenFences > broken) {
    throw new Error(`${device} ${dtype}: wrote outside of a tensor`)
  }
  return read
}

function nonZeros(values: Iterable<number>): number {
  let count = 0
  for (const value of values) if (value !== 0) count++
  return count
}

/**
 * A comparison in which nearly all of the numbers that can differ from zero are zero proves nothing. Which can: those
 * that differ from zero when every input is 1 (elsewhere the padding, or the stride, leaves nothing to add up). A ReLU
 * leaves one half, a maximum over overlapping 5x5 windows one quarter.
 */
function expectTrust(kernel: Kernel, exact: ReadonlyMap<string, TypedArray>) {
  let possible: Map<string, TypedArray> | undefined
  for (const [name, values] of exact) {
    const filled = nonZeros(values)
    if (8 * filled >= values.length) continue
    possible ??= runKernel(kernel, SPECIFICATION, 1)
    const reachable = nonZeros(possible.get(name) as TypedArray)
    if (8 * filled < reachable) {
      throw new Error(`${name}: mistrusted, ${filled} of ${reachable} reachable elements differ from zero`)
    }
  }
}

/** The index of the first difference, or -1. NaN equals NaN, and 0 equals -0. */
function firstDifference(actual: TypedArray, expected: TypedArray): number {
  if (actual.length !== expected.length) return Math.min(actual.length, expected.length)
  for (let i = 0; i < expected.length; i++) {
    if (actual[i] !== expected[i] && !Object.is(actual[i], expected[i])) return i
  }
  return -1
}

/** The largest absolute value, or NaN when there is one. */
function largest(values: TypedArray, offset?: TypedArray): number {
  let result = 0
  for (let i = 0; i < values.length; i++) {
    const value = Math.abs((values[i] as number) - ((offset?.[i] as number) ?? 0))
    if (Number.isNaN(value)) return value
    if (value > result) result = value
  }
  return result
}

/**
 * Both devices in f32 give the very numbers of the specification. For inputs from `integers`, of which every sum in
 * the kernel stays below 2^24, and for kernels that only move values.
 */
export async function expectExact(kernel: Kernel) {
  await setImmediate() // a long list of tests lets the runner speak
  const exact = runKernel(kernel, SPECIFICATION)
  for (const [name, values] of exact) {
    if (largest(values) >= 2 ** 24) throw new Error(`${name}: not exact in f32`)
  }
  expectTrust(kernel, exact)
  for (const place of SINGLE) {
    const actual = runKernel(kernel, place)
    expect([...actual.keys()]).toEqual([...exact.keys()])
    for (const [name, expected] of exact) {
      const values = actual.get(name) as TypedArray
      const i = firstDifference(values, expected)
      if (i >= 0) throw new Error(`${place.device} ${name}[${i}]: expected ${expected[i]} but received ${values[i]}`)
    }
  }
}

/**
 * The error of cpu in f32 is at most twice that of reference in f32, both against the specification, as the largest
 * absolute error of each output. One unit in the last place of the output's largest value is always allowed: of
 * few operations the plain version may happen to be exact. `magnitudes` names, by output, a larger value that its sums
 * pass through before most of it cancels: then the unit is that value's.
 */
export async function expectClose(kernel: Kernel, magnitudes: Record<string, number> = {}) {
  await setImmediate()
  const exact = runKernel(kernel, SPECIFICATION)
  expectTrust(kernel, exact)
  const [plain, fast] = SINGLE.map(place => runKernel(kernel, place)) as [Outputs, Outputs]
  expect([...fast.keys()]).toEqual([...exact.keys()])
  for (const [name, expected] of exact) {
    const error = (run: Outputs) => {
      const values = run.get(name) as TypedArray
      expect(values.length).toBe(expected.length)
      return largest(values, expected)
    }
    const allowed = 2 * error(plain) + 2 ** -23 * Math.max(largest(expected), magnitudes[name] ?? 0)
    const received = error(fast)
    if (!(received <= allowed)) {
      throw new Error(`${name}: expected an error of at most ${allowed} but received ${received}`)
    }
  }
}
