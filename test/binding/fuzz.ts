/**
 * The property of the border: whatever a native function is called with, it returns a valid result or throws an error of
 * the right class that begins with its name; it never crashes or hangs, and loses no memory.
 *
 * A run takes one exported function, good arguments for it (valid-calls.ts), and spoils them. Functions that the table
 * does not know are called with junk alone. fuzz-child.ts runs this in a process of its own, fuzz.test.ts starts that.
 */
import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import * as errors from '../../src/errors.ts'
import { IgcError, InternalError } from '../../src/errors.ts'
import { type NativeRecording, type NativeTensor, native } from '../../src/native.ts'
import { junk, sentinel } from './junk.ts'
import { type Device, type DType, Maker, type Sizes, validCalls } from './valid-calls.ts'

const functions: Record<string, (...args: unknown[]) => unknown> = { ...native } as never
const exported = Object.keys(functions)

/** One way to spoil good arguments; `at` and `field` count round. */
type Spoil =
  | { kind: 'junk'; at: number; value: string }
  | { kind: 'field'; field: number; value: string }
  | { kind: 'getter'; field: number; effect: 'throw' | 'dispose' | 'detach' | 'reenter' }
  | { kind: 'missing'; count: number }
  | { kind: 'extra'; value: string }
  | { kind: 'disposed'; at: number }
  | { kind: 'other'; at: number; shape: number[]; dtype: DType; device: Device }
  | { kind: 'alias'; at: number; from: number }
  | { kind: 'fake'; at: number; way: 'proxy' | 'revoked' | 'inherits' | 'copy' | 'prototype' }

/** Without elements, but a loop over one of their dimensions does not end. */
const emptyShapes = [
  [2 ** 45, 0],
  [0, 2 ** 45],
  [2 ** 20, 2 ** 25, 0],
  [2 ** 45, 1, 1, 0],
  [1, 2 ** 45, 1, 0],
  [0, 2 ** 22, 2 ** 22, 1],
]

const index = fc.nat({ max: 11 })
const junkName = fc.constantFrom(...Object.keys(junk))
const size = fc.integer({ min: 1, max: 3 })
const spoil: fc.Arbitrary<Spoil> = fc.oneof(
  fc.record({ kind: fc.constant('junk' as const), at: index, value: junkName }),
  fc.record({ kind: fc.constant('field' as const), field: index, value: junkName }),
  fc.record({
    kind: fc.constant('getter' as const),
    field: index,
    effect: fc.constantFrom('throw' as const, 'dispose' as const, 'detach' as const, 'reenter' as const),
  }),
  fc.record({ kind: fc.constant('missing' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('extra' as const), value: junkName }),
  fc.record({ kind: fc.constant('disposed' as const), at: index }),
  fc.record({
    kind: fc.constant('other' as const),
    at: index,
    shape: fc.oneof(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 }), fc.constantFrom(...emptyShapes)),
    dtype: fc.constantFrom<DType>('f32', 'f64', 'i32', 'u8', 'bf16', 'f16'),
    device: fc.constantFrom<Device>('cpu', 'reference'),
  }),
  fc.record({ kind: fc.constant('alias' as const), at: index, from: index }),
  fc.record({
    kind: fc.constant('fake' as const),
    at: index,
    way: fc.constantFrom(
      'proxy' as const,
      'revoked' as const,
      'inherits' as const,
      'copy' as const,
      'prototype' as const,
    ),
  }),
)

const sizes: fc.Arbitrary<Sizes> = fc
  .record({
    device: fc.constantFrom<Device>('cpu', 'reference'),
    dtype: fc.constantFrom<'f32' | 'f64'>('f32', 'f64'),
    ...{ batch: size, height: size, width: size, channels: size, outChannels: size, groups: size },
    ...{ kernel: size, stride: size, padding: fc.nat({ max: 2 }) },
  })
  .map(s => ({ ...s, dtype: s.device === 'cpu' ? 'f32' : s.dtype }))

const call = fc.record({ name: fc.constantFrom(...exported), sizes, spoils: fc.array(spoil, { maxLength: 3 }) })
type Call = { name: string; sizes: Sizes; spoils: Spoil[] }

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** The options object among the arguments. A handle is plain too, but has no fields. */
const optionsOf = (args: unknown[]) => args.find(value => isPlain(value) && Object.keys(value).length > 0)

/** Something that looks like a handle to JavaScript. */
function fake(handle: NativeTensor, way: string): unknown {
  if (way === 'proxy') return new Proxy(handle, {})
  if (way === 'inherits') return Object.create(handle)
  if (way === 'copy') return Object.defineProperties({}, Object.getOwnPropertyDescriptors(handle))
  if (way === 'prototype') return Object.setPrototypeOf({}, Object.getPrototypeOf(handle))
  const { proxy, revoke } = Proxy.revocable(handle, {})
  revoke()
  return proxy
}

function sideEffect(effect: string, args: unknown[], make: Maker): void {
  if (effect === 'throw') throw sentinel
  if (effect === 'dispose') for (const handle of make.made) native.tensorDispose(handle)
  if (effect === 'detach') {
    for (const value of args) {
      if (ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer && value.buffer.byteLength > 0) {
        structuredClone(value.buffer, { transfer: [value.buffer] })
      }
    }
  }
  if (effect === 'reenter') {
    const x = make.tensor([2, 2])
    native.tensorDispose(native.reluForward(x))
    native.deviceTrim(make.sizes.device)
    native.deviceSynchronize(make.sizes.device)
  }
}

/** The places of arguments: those of the call, and those in `lists`, the arrays of handles among them. */
function placesOf(args: unknown[], lists: readonly unknown[][]): [unknown[], number][] {
  return args.flatMap((value, i) => {
    const list = lists.find(one => one === value) ?? []
    return [[args, i] as [unknown[], number], ...list.map((_, k) => [list, k] as [unknown[], number])]
  })
}

/** Changes the arguments, and the options object that was among them, in place. */
function apply(change: Spoil, args: unknown[], lists: readonly unknown[][], options: unknown, make: Maker): void {
  const places = placesOf(args, lists)
  const [holder, at] = places['at' in change && places.length > 0 ? change.at % places.length : 0] ?? [args, 0]
  if (change.kind === 'junk') holder[at] = junk[change.value]?.()
  if (change.kind === 'extra') args.push(junk[change.value]?.())
  if (change.kind === 'missing') args.splice(Math.max(0, args.length - change.count))
  if (change.kind === 'fake') {
    const handle = make.made.find(made => made === holder[at])
    if (handle !== undefined) holder[at] = fake(handle, change.way)
  }
  if (change.kind === 'alias' && places.length > 0) {
    const [from, i] = places[change.from % places.length] as [unknown[], number]
    holder[at] = from[i]
  }
  if (change.kind === 'other') holder[at] = make.tensor(change.shape, change.dtype, change.device)
  if (change.kind === 'disposed' && make.made.length > 0) {
    native.tensorDispose(make.made[change.at % make.made.length] as NativeTensor)
  }
  if (change.kind !== 'field' && change.kind !== 'getter') return
  if (!isPlain(options)) return
  const names = Object.keys(options)
  const name = names[change.field % names.length] as string
  if (change.kind === 'field') {
    Object.defineProperty(options, name, { value: junk[change.value]?.(), enumerable: true, configurable: true })
    return
  }
  const { value, get: earlier } = Object.getOwnPropertyDescriptor(options, name) ?? {}
  const get = () => {
    sideEffect(change.effect, args, make)
    return earlier ? earlier() : value
  }
  Object.defineProperty(options, name, { get, enumerable: true, configurable: true })
}

/** The error is the caller's own, the engine's about the caller's proxy, or one of ours. */
function checkError(error: unknown, name: string): void {
  if (error === sentinel) return
  if (error instanceof TypeError && /^Cannot perform '\w+' on a proxy that has been revoked$/.test(error.message))
    return
  const rightClass = error instanceof IgcError || error instanceof TypeError || error instanceof RangeError
  assert(rightClass && !(error instanceof InternalError), `${name} threw ${error}`)
  const op = validCalls[name as keyof typeof validCalls]?.[0] ?? name
  const begins = [`${op}: `, 'device: ', 'device cpu: ', 'device reference: ', 'shape: ', 'data: ']
  assert(
    begins.some(start => error.message.startsWith(start)),
    `${name} threw ${error}`,
  )
  assert(error.message.length < 500, `${name} threw a message of ${error.message.length} characters`)
}

/** Reads what came back; frees handles. */
async function checkResult(result: unknown, name: string): Promise<void> {
  if (result instanceof Promise) {
    const settled = await result.then(
      value => ({ value }),
      (error: unknown) => ({ error }),
    )
    if ('error' in settled) checkError(settled.error, name)
    else assert(ArrayBuffer.isView(settled.value), `${name} resolved to ${typeof settled.value}`)
    return
  }
  if (typeof result !== 'object' || result === null || ArrayBuffer.isView(result)) return
  if (['deviceMemory', 'deviceInfo', 'tensorInfo', 'pluginProbe', 'recordEnd'].includes(name)) return
  const isHandle = Object.keys(result).length === 0 && !/^(igcBlock|conv2dFused)Backward$/.test(name) // nothing if asked for nothing
  const handles = isHandle ? [result] : Object.values(result)
  for (const handle of handles as NativeTensor[]) {
    const { shape } = native.tensorInfo(handle)
    const length = shape.reduce((product, one) => product * one, 1)
    if (length <= 1e6) {
      try {
        assert.equal(native.tensorReadSync(handle).length, length)
      } catch (error) {
        checkError(error, name === 'tensorReadSync' ? name : 'tensorReadSync')
      }
    }
    native.tensorDispose(handle)
  }
}

function recordingsOf(result: unknown): NativeRecording[] {
  const { recording } = result as { recording?: NativeRecording }
  return recording === undefined ? [] : [recording]
}

async function run({ name, sizes: chosen, spoils }: Call): Promise<void> {
  const make = new Maker(native, chosen)
  const used = () => (['cpu', 'reference'] as const).map(device => native.deviceMemory(device).bytesInUse)
  const before = used()
  const args = validCalls[name as keyof typeof validCalls]?.[1](make, chosen) ?? []
  const options = optionsOf(args)
  const lists = args.filter(value => Array.isArray(value) && make.made.includes(value[0] as NativeTensor))
  for (const change of spoils) apply(change, args, lists as unknown[][], options, make)
  let result: unknown
  let failure: { error: unknown } | undefined
  try {
    result = functions[name]?.(...args)
  } catch (error) {
    failure = { error }
  }
  native.setErrorClasses({ ...errors }) // whatever setErrorClasses was given
  if (failure === undefined) await checkResult(result, name)
  else if (spoils.length === 0) throw failure.error
  else checkError(failure.error, name)
  if (name === 'recordEnd' && failure === undefined) make.recordings.push(...recordingsOf(result))
  make.clear()
  assert.deepEqual(used(), before, `${name}: bytes in use`)
}

/**
 * Runs the property.
 * @param before told every call before it is made, so that the one that crashed is known
 */
export async function fuzz(seed: number, runs: number, before: (call: string) => void): Promise<void> {
  const property = fc.asyncProperty(call, async chosen => {
    before(fc.stringify(chosen))
    await run(chosen)
  })
  await fc.assert(property, { seed, numRuns: runs, endOnFailure: false })
  for (const device of ['cpu', 'reference'] as const) {
    native.deviceSynchronize(device)
    assert.equal(native.deviceMemory(device).brokenFences, 0, `${device}: writes out of bounds`)
  }
}
