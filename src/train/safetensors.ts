/**
 * Reads and writes the safetensors format (https://github.com/huggingface/safetensors): eight bytes with the length of
 * the header (little-endian), a JSON header, the values. Strict both ways: a file that this reader takes is whole, and
 * nothing is allocated by a size that was not compared with the size of the file. All machines that igcnet runs on are
 * little-endian, so values are copied as they are. Checked in test/unit/safetensors.test.ts.
 */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { DataError } from '../errors.ts'
import { openFile, readError } from '../file.ts'
import type { DType } from '../tensor.ts'

/** Of the tensors that are kept: parameters, statistics, velocities. */
export type StoredDType = Exclude<DType, 'bf16' | 'f16'>

/** The values of a tensor in memory of this process. */
export interface StoredTensor {
  readonly dtype: StoredDType
  readonly shape: readonly number[]
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array
}

/** What a file holds. */
export interface Stored {
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Free text by name. */
  readonly metadata: Readonly<Record<string, string>>
}

const ARRAYS = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array } as const
const FORMAT_NAMES = { f32: 'F32', f64: 'F64', i32: 'I32', u8: 'U8' } as const
const DTYPES: ReadonlyMap<unknown, StoredDType> = new Map(
  (Object.keys(FORMAT_NAMES) as StoredDType[]).map(dtype => [FORMAT_NAMES[dtype], dtype]),
)
const METADATA = '__metadata__'
const LENGTH_BYTES = 8
/** The limit of the format's own library. */
const MAX_HEADER = 100_000_000

const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
const bytesOf = ({ data }: StoredTensor) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

/**
 * The content of a file, in parts. Values start at a multiple of 8 bytes and are in order of element size, then name, so
 * every tensor is aligned.
 * @throws DataError for a header that readers refuse
 */
export function encodeSafetensors({ tensors, metadata }: Stored): Uint8Array[] {
  const entries = [...tensors].sort(
    ([a, x], [b, y]) => y.data.BYTES_PER_ELEMENT - x.data.BYTES_PER_ELEMENT || byName(a, b),
  )
  let end = 0
  const described = entries.map(([name, { dtype, shape, data }]) => {
    if (name === METADATA) throw new DataError(`safetensors: expected the name of a tensor but received ${METADATA}`)
    const begin = end
    end += data.byteLength
    return [name, { dtype: FORMAT_NAMES[dtype], shape, data_offsets: [begin, end] }] as const
  })
  const text = Buffer.from(JSON.stringify(Object.fromEntries([[METADATA, metadata], ...described])))
  const padded = Math.ceil(text.length / LENGTH_BYTES) * LENGTH_BYTES
  if (padded > MAX_HEADER) {
    throw new DataError(`safetensors: expected a header of at most ${MAX_HEADER} bytes but received ${padded}`)
  }
  const header = Buffer.alloc(LENGTH_BYTES + padded, ' ')
  header.writeBigUInt64LE(BigInt(padded))
  text.copy(header, LENGTH_BYTES)
  return [header, ...entries.map(([, stored]) => bytesOf(stored))]
}

/** SHA-256 (hex) of names, dtypes, shapes and values, in the order of the names: the identity of a state. */
export function hashTensors(tensors: ReadonlyMap<string, StoredTensor>): string {
  const hash = createHash('sha256')
  for (const [name, stored] of [...tensors].sort(([a], [b]) => byName(a, b))) {
    hash.update(`${JSON.stringify(name)} ${stored.dtype} [${stored.shape}]\n`)
    hash.update(bytesOf(stored))
  }
  return hash.digest('hex')
}

/**
 * Reads a whole file.
 * @throws DataError naming path, byte offset and what was expected, for a file that is missing, truncated, too long,
 * foreign, or has another element type than F32, F64, I32 and U8
 */
export async function readSafetensors(path: string): Promise<Stored> {
  const file = await openFile('safetensors', path)
  try {
    return await readFrom(file, path)
  } catch (cause) {
    throw cause instanceof DataError ? cause : readError('safetensors', path, cause)
  } finally {
    await file.close()
  }
}

async function readFrom(file: FileHandle, path: string): Promise<Stored> {
  const { size } = await file.stat()
  const fail = failureOf(path)
  if (size < LENGTH_BYTES) {
    throw fail(0, `the length of the header in ${LENGTH_BYTES} bytes`, `a file of ${size} bytes`)
  }
  const length = Buffer.alloc(LENGTH_BYTES)
  await fill(file, length, 0, path)
  const headerBytes = Number(length.readBigUInt64LE())
  const room = Math.min(size - LENGTH_BYTES, MAX_HEADER)
  if (headerBytes > room) throw fail(0, `a header of at most ${room} bytes`, `${headerBytes}`)
  const text = Buffer.alloc(headerBytes)
  await fill(file, text, LENGTH_BYTES, path)
  const dataStart = LENGTH_BYTES + headerBytes
  const { entries, metadata } = parseHeader(text, size - dataStart, dataStart, path)
  const tensors = new Map<string, StoredTensor>()
  for (const { name, dtype, shape, begin, elements } of entries) {
    const data = new ARRAYS[dtype](elements)
    await fill(file, bytesOf({ dtype, shape, data }), dataStart + begin, path)
    tensors.set(name, { dtype, shape, data })
  }
  return { tensors, metadata }
}

/** Fills `out` with the bytes from `position`; `size` was looked at before, but the file may have shrunk since. */
async function fill(file: FileHandle, out: Uint8Array, position: number, path: string): Promise<void> {
  let done = 0
  while (done < out.length) {
    const { bytesRead } = await file.read(out, done, out.length - done, position + done)
    if (bytesRead === 0)
      throw failureOf(path)(position + done, `${out.length - done} more bytes`, 'the end of the file')
    done += bytesRead
  }
}

function failureOf(path: string) {
  return (offset: number, expected: string, received: string) =>
    new DataError(`safetensors: expected ${expected} at byte offset ${offset} of ${path} but received ${received}`)
}

interface Entry {
  readonly name: string
  readonly dtype: StoredDType
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
  readonly elements: number
}

type Header = { entries: readonly Entry[]; metadata: Record<string, string> }

function parseHeader(bytes: Buffer, dataBytes: number, dataStart: number, path: string): Header {
  const fail = failureOf(path)
  let text: string
  let header: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    header = JSON.parse(text)
  } catch (error) {
    throw fail(LENGTH_BYTES, `a JSON header of ${bytes.length} bytes`, `other text (${(error as Error).message})`)
  }
  if (!isObject(header)) throw fail(LENGTH_BYTES, 'a JSON object', show(header))
  const twice = duplicateKey(text)
  if (twice !== undefined) throw fail(LENGTH_BYTES, 'every name once', `${twice} twice`)
  const metadata = header[METADATA] ?? {}
  if (!isObject(metadata) || !Object.values(metadata).every(value => typeof value === 'string')) {
    throw fail(LENGTH_BYTES, `texts by name in ${METADATA}`, show(metadata))
  }
  const entries = Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, value]) => parseEntry(name, value, fail))
    .sort((a, b) => a.begin - b.begin || a.end - b.end)
  let end = 0
  for (const entry of entries) {
    if (entry.begin !== end) {
      throw fail(dataStart + end, `the values of '${entry.name}' from ${end} on (of the data)`, `${entry.begin}`)
    }
    end = entry.end
  }
  if (end !== dataBytes) {
    throw fail(dataStart + Math.min(end, dataBytes), `${end} bytes of values`, `${dataBytes} (truncated or too long)`)
  }
  return { entries, metadata: metadata as Record<string, string> }
}

function parseEntry(name: string, value: unknown, fail: ReturnType<typeof failureOf>): Entry {
  const wrong = (expected: string, received: unknown) =>
    fail(LENGTH_BYTES, `${expected} for tensor '${name}' in the header`, show(received))
  if (!isObject(value)) throw wrong('dtype, shape and data_offsets', value)
  const { dtype: format, shape, data_offsets: offsets } = value
  const dtype = DTYPES.get(format)
  if (dtype === undefined) throw wrong(`a dtype of ${[...DTYPES.keys()].join(', ')}`, format)
  if (!isSizes(shape)) throw wrong('a shape of whole numbers', shape)
  if (!isSizes(offsets) || offsets.length !== 2) throw wrong('two data_offsets', offsets)
  const [begin, end] = offsets as [number, number]
  const elements = shape.reduce((product, size) => product * size, 1)
  const bytes = elements * ARRAYS[dtype].BYTES_PER_ELEMENT
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes) {
    throw wrong(`${bytes} bytes (${format} [${shape.join(', ')}])`, end - begin)
  }
  return { name, dtype, shape, begin, end, elements }
}

/** A key that stands twice in one object of a valid JSON text: `JSON.parse` would silently take the last. */
function duplicateKey(text: string): string | undefined {
  const open: Set<string>[] = []
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '{') open.push(new Set())
    if (text[i] === '}') open.pop()
    if (text[i] !== '"') continue
    const start = i
    for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++
    let next = i + 1
    while (/\s/.test(text[next] ?? '')) next++
    if (text[next] !== ':') continue
    const name = JSON.parse(text.slice(start, i + 1)) as string
    if (open.at(-1)?.has(name)) return `'${name}'`
    open.at(-1)?.add(name)
  }
  return undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(size => Number.isSafeInteger(size) && size >= 0)
}

/** A value of the header as errors show it, cut to a readable length. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
