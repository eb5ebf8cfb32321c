/**
 * The safetensors format: bytes written by hand after its specification, round trips, and files that are no whole
 * safetensors files, each with the error that says what is wrong.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { encodeSafetensors, hashTensors, readSafetensors, type StoredTensor } from '../../src/train/safetensors.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const folder = temporaryDirectory()
afterAll(folder.remove)
const path = join(folder.path, 'file.safetensors')

/** A file with this header text, length and values. */
function file(header: string, values: Uint8Array = new Uint8Array(0), length = BigInt(Buffer.byteLength(header))) {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length)
  return Buffer.concat([prefix, Buffer.from(header), values])
}

function readBytes(bytes: Uint8Array) {
  writeFileSync(path, bytes)
  return readSafetensors(path)
}

const f32 = (shape: number[], data: number[]): StoredTensor => ({ dtype: 'f32', shape, data: Float32Array.from(data) })

const ALL: Map<string, StoredTensor> = new Map([
  ['bytes', { dtype: 'u8', shape: [3], data: Uint8Array.of(1, 2, 255) }],
  ['floats', f32([2, 2], [1, -0, Number.NaN, 1e-45])],
  ['doubles', { dtype: 'f64', shape: [], data: Float64Array.of(Math.PI) }],
  ['empty', f32([0, 5], [])],
  ['ganze "Zahlen" ü', { dtype: 'i32', shape: [1, 2], data: Int32Array.of(-1, 2 ** 31 - 1) }],
  ['__proto__', f32([1], [7])],
])

test('reads bytes of the specification', async () => {
  const header = '{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
  const values = Buffer.alloc(8)
  values.writeFloatLE(1.5, 0)
  values.writeFloatLE(-2, 4)
  const { tensors, metadata } = await readBytes(file(header, values))
  expect(metadata).toEqual({ a: 'b' })
  expect([...tensors]).toEqual([['x', { dtype: 'f32', shape: [2], data: Float32Array.of(1.5, -2) }]])
})

test('writes bytes of the specification, values aligned to 8 bytes', () => {
  const parts = encodeSafetensors({ tensors: new Map([['x', f32([2], [1.5, -2])]]), metadata: { a: 'b' } })
  const header = '{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} '
  expect(header.length % 8).toBe(0)
  const values = Buffer.alloc(8)
  values.writeFloatLE(1.5, 0)
  values.writeFloatLE(-2, 4)
  expect(Buffer.concat(parts)).toEqual(file(header, values))
})

test('what is written is read, bit for bit, whatever the names, types and sizes', async () => {
  const { tensors, metadata } = await readBytes(
    Buffer.concat(encodeSafetensors({ tensors: ALL, metadata: { k: 'ü\n"' } })),
  )
  expect(metadata).toEqual({ k: 'ü\n"' })
  expect(tensors.size).toBe(ALL.size)
  for (const [name, tensor] of ALL) expect(tensors.get(name)).toEqual(tensor)
  expect(hashTensors(tensors)).toBe(hashTensors(ALL))
})

test('every tensor is aligned to its element size', () => {
  const bytes = Buffer.concat(encodeSafetensors({ tensors: ALL, metadata: {} }))
  const length = Number(bytes.readBigUInt64LE())
  expect(length % 8).toBe(0)
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length))
  for (const [name, { data }] of ALL) {
    if (name !== '__proto__') expect(header[name].data_offsets[0] % data.BYTES_PER_ELEMENT).toBe(0)
  }
})

test('a view of a larger buffer is written alone', async () => {
  const data = new Float32Array([9, 1, 2, 9]).subarray(1, 3)
  const parts = encodeSafetensors({ tensors: new Map([['x', { dtype: 'f32', shape: [2], data }]]), metadata: {} })
  expect((await readBytes(Buffer.concat(parts))).tensors.get('x')?.data).toEqual(Float32Array.of(1, 2))
})

test('the hash tells names, shapes, dtypes and single bits apart, and not the order', () => {
  const states = [
    [['a', f32([2], [1, 2])]],
    [['b', f32([2], [1, 2])]],
    [['a', f32([1, 2], [1, 2])]],
    [['a', f32([2], [1, 2.0000002])]],
    [['a', f32([2], [0, 0])]],
    [['a', f32([2], [0, -0])]],
    [['a', { dtype: 'i32', shape: [2], data: Int32Array.of(0, 0) }]],
    [
      ['a', f32([1], [1])],
      ['b', f32([1], [2])],
    ],
  ] as [string, StoredTensor][][]
  expect(new Set(states.map(state => hashTensors(new Map(state)))).size).toBe(states.length)
  expect(hashTensors(new Map([...ALL].reverse()))).toBe(hashTensors(ALL))
})

const entry = (fields: object) => JSON.stringify({ x: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } })
const twoOf = (first: number[], second: number[]) =>
  JSON.stringify({
    a: { dtype: 'U8', shape: [4], data_offsets: first },
    b: { dtype: 'U8', shape: [4], data_offsets: second },
  })
const eight = new Uint8Array(8)

/** What is wrong, the bytes, the message after `safetensors: expected`, PATH for the path. */
const broken: [string, Uint8Array, string][] = [
  [
    'empty',
    new Uint8Array(0),
    'the length of the header in 8 bytes at byte offset 0 of PATH but received a file of 0 bytes',
  ],
  [
    '7 bytes',
    eight.subarray(1),
    'the length of the header in 8 bytes at byte offset 0 of PATH but received a file of 7 bytes',
  ],
  [
    'header beyond the end',
    file('{}', eight, 11n),
    'a header of at most 10 bytes at byte offset 0 of PATH but received 11',
  ],
  [
    'huge header',
    file('{}', eight, 2n ** 63n),
    'a header of at most 10 bytes at byte offset 0 of PATH but received 9223372036854776000',
  ],
  [
    'foreign',
    Buffer.from('\x89PNG\r\n\x1a\n and more', 'latin1'),
    'a header of at most 9 bytes at byte offset 0 of PATH but received 727905341920923800',
  ],
  [
    'no JSON',
    file('{"x":'),
    'a JSON header of 5 bytes at byte offset 8 of PATH but received other text (Unexpected end of JSON input)',
  ],
  [
    'no UTF-8',
    file('{}').fill(0xff, 8),
    'a JSON header of 2 bytes at byte offset 8 of PATH but received other text (The encoded data was not valid for encoding utf-8)',
  ],
  ['no object', file('[]'), 'a JSON object at byte offset 8 of PATH but received []'],
  [
    'a name twice',
    file(
      `{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0078":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`,
    ),
    `every name once at byte offset 8 of PATH but received 'x' twice`,
  ],
  [
    'a field twice',
    file('{"x":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
    `every name once at byte offset 8 of PATH but received 'dtype' twice`,
  ],
  [
    'metadata with a number',
    file('{"__metadata__":{"a":1}}'),
    'texts by name in __metadata__ at byte offset 8 of PATH but received {"a":1}',
  ],
  [
    'metadata no object',
    file('{"__metadata__":"a"}'),
    'texts by name in __metadata__ at byte offset 8 of PATH but received "a"',
  ],
  [
    'entry no object',
    file('{"x":null}'),
    `dtype, shape and data_offsets for tensor 'x' in the header at byte offset 8 of PATH but received null`,
  ],
  [
    'another dtype',
    file(entry({ dtype: 'BF16' }), eight),
    `a dtype of F32, F64, I32, U8 for tensor 'x' in the header at byte offset 8 of PATH but received "BF16"`,
  ],
  [
    'no dtype',
    file(entry({ dtype: undefined }), eight),
    `a dtype of F32, F64, I32, U8 for tensor 'x' in the header at byte offset 8 of PATH but received nothing`,
  ],
  [
    'negative size',
    file(entry({ shape: [-2] }), eight),
    `a shape of whole numbers for tensor 'x' in the header at byte offset 8 of PATH but received [-2]`,
  ],
  [
    'broken size',
    file(entry({ shape: [1.5] }), eight),
    `a shape of whole numbers for tensor 'x' in the header at byte offset 8 of PATH but received [1.5]`,
  ],
  [
    'infinite size',
    file(entry({ shape: 0 }).replace('"shape":0', '"shape":[1e999]'), eight),
    `a shape of whole numbers for tensor 'x' in the header at byte offset 8 of PATH but received [null]`,
  ],
  [
    'sizes whose product overflows',
    file(entry({ shape: [2 ** 40, 2 ** 40] }), eight),
    `4.835703278458517e+24 bytes (F32 [1099511627776, 1099511627776]) for tensor 'x' in the header at byte offset 8 of PATH but received 8`,
  ],
  [
    'a size that the offsets contradict',
    file(entry({ shape: [3] }), eight),
    `12 bytes (F32 [3]) for tensor 'x' in the header at byte offset 8 of PATH but received 8`,
  ],
  [
    'offsets backwards',
    file(entry({ data_offsets: [8, 0] }), eight),
    `8 bytes (F32 [2]) for tensor 'x' in the header at byte offset 8 of PATH but received -8`,
  ],
  [
    'one offset',
    file(entry({ data_offsets: [8] }), eight),
    `two data_offsets for tensor 'x' in the header at byte offset 8 of PATH but received [8]`,
  ],
  [
    'a gap at the start',
    file(twoOf([1, 5], [5, 9]), new Uint8Array(9)),
    `the values of 'a' from 0 on (of the data) at byte offset 113 of PATH but received 1`,
  ],
  [
    'a gap',
    file(twoOf([0, 4], [5, 9]), new Uint8Array(9)),
    `the values of 'b' from 4 on (of the data) at byte offset 117 of PATH but received 5`,
  ],
  [
    'overlap',
    file(twoOf([0, 4], [2, 6]), new Uint8Array(6)),
    `the values of 'b' from 4 on (of the data) at byte offset 117 of PATH but received 2`,
  ],
  [
    'truncated',
    file(twoOf([0, 4], [4, 8]), new Uint8Array(7)),
    '8 bytes of values at byte offset 120 of PATH but received 7 (truncated or too long)',
  ],
  [
    'too long',
    file(twoOf([0, 4], [4, 8]), new Uint8Array(9)),
    '8 bytes of values at byte offset 121 of PATH but received 9 (truncated or too long)',
  ],
  [
    'more values than memory',
    file(entry({ shape: [2 ** 50], data_offsets: [0, 2 ** 52] }), eight),
    '4503599627370496 bytes of values at byte offset 100 of PATH but received 8 (truncated or too long)',
  ],
]

test.each(broken)('%s', async (_, bytes, message) => {
  const error = await readBytes(bytes).then(
    () => undefined,
    reason => reason,
  )
  expect(error).toBeInstanceOf(DataError)
  expect(error.message.replaceAll(path, 'PATH')).toBe(`safetensors: expected ${message}`)
})

test('a missing file and a folder', async () => {
  const missing = join(folder.path, 'missing')
  await expect(readSafetensors(missing)).rejects.toThrow(`safetensors: cannot read ${missing}: ENOENT`)
  mkdirSync(missing)
  await expect(readSafetensors(missing)).rejects.toThrow(
    `safetensors: expected a file but received a folder: ${missing}`,
  )
})

test('no damage of a file does more than a DataError', async () => {
  const whole = Buffer.concat(encodeSafetensors({ tensors: ALL, metadata: { some: 'text' } }))
  const damage = fc.record({
    flips: fc.array(fc.record({ at: fc.nat(whole.length - 1), byte: fc.integer({ min: 0, max: 255 }) }), {
      maxLength: 4,
    }),
    length: fc.option(fc.nat(whole.length)),
  })
  await fc.assert(
    fc.asyncProperty(damage, async ({ flips, length }) => {
      const bytes = Buffer.from(whole.subarray(0, length ?? whole.length))
      for (const { at, byte } of flips) if (at < bytes.length) bytes[at] = byte
      const result = await readBytes(bytes).catch(error => error)
      if (!(result instanceof Error)) return
      expect(result).toBeInstanceOf(DataError)
      expect(result.message).toContain(path)
    }),
    { numRuns: 400 },
  )
})

test('every truncation is found', async () => {
  const whole = Buffer.concat(encodeSafetensors({ tensors: ALL, metadata: {} }))
  for (let length = 0; length < whole.length; length++) {
    await expect(readBytes(whole.subarray(0, length))).rejects.toBeInstanceOf(DataError)
  }
  expect(readFileSync(path).length).toBe(whole.length - 1)
})

test('a header that the reader would refuse is not written', () => {
  const metadata = { state: 'x'.repeat(100_000_000) }
  expect(() => encodeSafetensors({ tensors: new Map(), metadata })).toThrow(
    new DataError('safetensors: expected a header of at most 100000000 bytes but received 100000032'),
  )
})
