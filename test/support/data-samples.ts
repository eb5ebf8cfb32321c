/**
 * Small made-up data sets for the tests of src/data: a CIFAR-like format with few records a file, its files with
 * pseudo-random pixels, and a source in memory.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CIFAR10, CIFAR100, type CifarFormat } from '../../src/data/cifar.ts'
import type { PlainBatch } from '../../src/data/prefetch.ts'
import { type ImageSource, normalisationTable } from '../../src/data/prepare.ts'
import { philox4x32 } from '../../src/data/random.ts'

/** CIFAR-10 with 20 records in each training file and 10 in the test file. */
export const SMALL10: CifarFormat = { ...CIFAR10, recordsPerFile: { train: 20, test: 10 } }

/** CIFAR-100 with 30 training and 10 test records. */
export const SMALL100: CifarFormat = { ...CIFAR100, recordsPerFile: { train: 30, test: 10 } }

/** Pseudo-random bytes. */
export function noise(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  for (let i = 0; i < words.length; i += 4) words.set(philox4x32([i, 0, 0, 0], [seed, 0]).slice(0, words.length - i), i)
  return new Uint8Array(words.buffer, 0, length)
}

/** A file of records with noise as pixels and i modulo the number of classes as labels of record i. */
export function recordFile(format: CifarFormat, records: number, seed: number): Uint8Array {
  const stride = format.labelClasses.length + 3072
  const bytes = noise(records * stride, seed)
  for (let i = 0; i < records; i++) {
    for (const [j, classes] of format.labelClasses.entries()) bytes[i * stride + j] = (i + seed) % classes
  }
  return bytes
}

/** Writes all files of a format to `directory`. */
export function writeRecordFiles(format: CifarFormat, directory: string): void {
  mkdirSync(directory, { recursive: true })
  let seed = 0
  for (const split of ['train', 'test'] as const) {
    for (const file of format.files[split]) {
      writeFileSync(join(directory, file), recordFile(format, format.recordsPerFile[split], seed++))
    }
  }
}

/** A new temporary directory, and what removes it. */
export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(realpathSync(tmpdir()), 'igcnet-test-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** A source of noise images in memory, with labels 0, 1, 2, ... */
export function noiseSource(examples: number): ImageSource {
  const values = new Uint8Array(new SharedArrayBuffer(examples * 3072))
  values.set(noise(values.length, 7))
  const labels = new Int32Array(new SharedArrayBuffer(examples * 4))
  for (let i = 0; i < examples; i++) labels[i] = i
  const table = normalisationTable(CIFAR10.mean, CIFAR10.std)
  return { values, stride: 3072, start: 0, planes: 3, table, padValue: 0, mirror: true, labels }
}

/** What a batch holds, quick to compare: its images as the SHA-256 of their bytes. */
export interface BatchPrint {
  readonly count: number
  readonly labels: number[]
  readonly images: string
}

/** The SHA-256 of the bytes of an array: for equality bit for bit. */
export function hashOf(array: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex')
}

/** Copies of the batches of one loop, up to `most`. */
export async function collect(batches: AsyncIterable<PlainBatch>, most = Number.POSITIVE_INFINITY) {
  const copies: PlainBatch[] = []
  for await (const { images, labels, count } of batches) {
    copies.push({ images: images.slice(), labels: labels.slice(), count })
    if (copies.length >= most) break
  }
  return copies
}

/** What the batches of one loop hold, up to `most`. */
export async function collectPrints(batches: AsyncIterable<PlainBatch>, most = Number.POSITIVE_INFINITY) {
  const prints: BatchPrint[] = []
  for await (const { images, labels, count } of batches) {
    prints.push({ count, labels: Array.from(labels), images: hashOf(images) })
    if (prints.length >= most) break
  }
  return prints
}

/** The error that `work` throws. */
export function caught(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('expected an error but nothing was thrown')
}
