/** What no function of the addon wants, by name, so that a failing run can be read. Used by fuzz.ts. */
import { MessageChannel } from 'node:worker_threads'
import { createDeflate } from 'node:zlib'

/** Thrown by the objects here that throw: whoever gets just this one back lost nothing. */
export const sentinel = new Error('thrown on purpose')

function raise(): never {
  throw sentinel
}

function detached(): Float32Array {
  const array = new Float32Array(4)
  structuredClone(array.buffer, { transfer: [array.buffer] })
  return array
}

/** A view that its shrunk buffer no longer covers. */
function outOfBounds(): Float32Array {
  type Resizable = ArrayBuffer & { resize(bytes: number): void }
  const Buffer = ArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => Resizable
  const buffer = new Buffer(16, { maxByteLength: 32 })
  const array = new Float32Array(buffer, 8)
  buffer.resize(4)
  return array
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

const everyTrapThrows = new Proxy({}, { get: () => raise })

export const junk: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  'minus zero': () => -0,
  one: () => 1,
  'minus one': () => -1,
  'a half': () => 0.5,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  '2^31 - 1': () => 2 ** 31 - 1,
  '2^32': () => 2 ** 32,
  '2^53 - 1': () => Number.MAX_SAFE_INTEGER,
  '2^53': () => 2 ** 53,
  '-2^53': () => -(2 ** 53),
  '1e300': () => 1e300,
  bigint: () => 1n,
  symbol: () => Symbol('s'),
  'empty string': () => '',
  cpu: () => 'cpu',
  reference: () => 'reference',
  f32: () => 'f32',
  f64: () => 'f64',
  u8: () => 'u8',
  'string with NUL': () => 'cpu\0',
  'lone surrogate': () => '\ud800',
  'long string': () => 'é'.repeat(100_000),
  function: () => raise,
  class: () => class {},
  object: () => ({}),
  'no prototype': () => Object.create(null),
  '[]': () => [],
  '[1]': () => [1],
  '[1, 2, 3, 4]': () => [1, 2, 3, 4],
  '[NaN]': () => [Number.NaN],
  '[-1]': () => [-1],
  '[1.5]': () => [1.5],
  '["1"]': () => ['1'],
  '[Symbol()]': () => [Symbol('s')],
  '[2^53]': () => [2 ** 53],
  '[2^53, 2^53]': () => [2 ** 53 - 1, 2 ** 53 - 1],
  '[2^52, 0]': () => [2 ** 52, 0],
  '[0, 2^52]': () => [0, 2 ** 52],
  '[1e12]': () => [1e12],
  '[2^40, 1, 1, 1]': () => [2 ** 40, 1, 1, 1],
  '[1, 2^40, 2^10, 1]': () => [1, 2 ** 40, 2 ** 10, 1],
  '[2^45, 1, 1, 0]': () => [2 ** 45, 1, 1, 0],
  '[0, 3, 3, 2]': () => [0, 3, 3, 2],
  'nine dimensions': () => [1, 1, 1, 1, 1, 1, 1, 1, 1],
  'sparse array': () => new Array(4),
  'endless array': () => new Array(2 ** 32 - 1),
  'array with a getter': () => Object.defineProperty([1, 2], '1', { get: raise }),
  'array that shrinks': () => {
    const array = [1, 2, 3]
    return Object.defineProperty(array, '0', {
      get() {
        array.length = 0
        return 1
      },
    })
  },
  'Float32Array(0)': () => new Float32Array(0),
  'Float32Array(4)': () => new Float32Array(4),
  'Float32Array, misaligned in its buffer': () => new Float32Array(new ArrayBuffer(24), 4, 4),
  'Float32Array, detached': detached,
  'Float32Array, shared': () => new Float32Array(new SharedArrayBuffer(16)),
  'Float32Array, out of bounds': outOfBounds,
  Float64Array: () => new Float64Array(4),
  BigInt64Array: () => new BigInt64Array(4),
  Uint8ClampedArray: () => new Uint8ClampedArray(4),
  DataView: () => new DataView(new ArrayBuffer(16)),
  ArrayBuffer: () => new ArrayBuffer(16),
  date: () => new Date(0),
  promise: () => Promise.resolve(),
  proxy: () => new Proxy({}, {}),
  'proxy of an array': () => new Proxy([1, 2], {}),
  'proxy of a typed array': () => new Proxy(new Float32Array(4), {}),
  'revoked proxy': () => revoked({}),
  'revoked proxy of an array': () => revoked([]),
  'proxy that throws': () => new Proxy({}, everyTrapThrows),
  'object of another addon': () => createDeflate(),
  'native handle of another addon': () => (createDeflate() as unknown as { _handle: object })._handle,
  'message port': () => {
    const { port1, port2 } = new MessageChannel()
    port2.close()
    return port1
  },
  globalThis: () => globalThis,
}
