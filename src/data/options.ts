/**
 * The options that all data sets share, and their checks. Checked in test/unit/data-loader.test.ts.
 */

import type { DeviceChoice } from '../tensor.ts'
import type { BatchPlan } from './prepare.ts'

/** Which part of a data set. */
export type Split = 'train' | 'test'

/** Options of every data set. */
export interface DatasetOptions {
  /** Which part of the data set. */
  split: Split
  /** Examples in a batch, at least 1. */
  batchSize: number
  /** Random crop after padding by 4 pixels, and for photographs a mirror with probability 1/2. Default false. */
  augment?: boolean | undefined
  /** A new order in each epoch. Default: true for the training split. */
  shuffle?: boolean | undefined
  /** Fixes every order, crop and mirror: a non-negative safe integer. Default 0. */
  seed?: number | undefined
  /** Leave out the last batch of an epoch if it is not full. Default: true for the training split. */
  dropLast?: boolean | undefined
  /** Use the first N examples of the split only. Default: all. */
  examples?: number | undefined
  /** The device of the tensors. Default: 'cpu'. */
  device?: DeviceChoice | undefined
}

/** How far a download is: bytes received, and bytes in all if the server says so. */
export interface DownloadProgress {
  readonly received: number
  readonly total: number | undefined
}

/**
 * Told how far a download is. The download waits for the promise it returns, if any; what it throws or rejects with ends
 * the download.
 */
export type OnDownload = (progress: DownloadProgress) => unknown

/** Options of the data sets that are read from a directory. */
export interface FileDatasetOptions extends DatasetOptions {
  /** The directory of the files, or its parent. */
  root: string
  /** Download the data set from its official address if files are missing. Default false. */
  download?: boolean | undefined
  /** Called while a download runs. */
  onProgress?: OnDownload | undefined
}

const COMMON_KEYS = ['split', 'batchSize', 'augment', 'shuffle', 'seed', 'dropLast', 'examples', 'device']
const FILE_KEYS = ['root', 'download', 'onProgress']

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}

function checkInteger(name: string, key: string, value: unknown, least: number, most: number, range: string): number {
  if (typeof value !== 'number')
    throw new TypeError(`${name}: expected ${key} to be a number but received ${describe(value)}`)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name}: expected ${key} to be ${range} but received ${value}`)
  }
  return value
}

function checkBoolean(name: string, key: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined) return byDefault
  if (typeof value !== 'boolean') {
    throw new TypeError(`${name}: expected ${key} to be true or false but received ${describe(value)}`)
  }
  return value
}

function checkKeys(name: string, options: unknown, keys: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${name}: expected an object of options but received ${describe(options)}`)
  }
  for (const key of Object.keys(options)) {
    if (!keys.includes(key)) throw new TypeError(`${name}: expected options ${keys.join(', ')} but received '${key}'`)
  }
}

/** Checked options, complete with their defaults. */
export interface CheckedOptions {
  readonly plan: BatchPlan
  readonly split: Split
  /** The number of examples used. */
  readonly examples: number
  readonly device: DeviceChoice | undefined
}

/**
 * Checks the shared options of data set `name`, whose splits have `sizes` examples.
 * @throws TypeError for values of a wrong kind, RangeError for numbers out of range
 */
export function checkOptions(
  name: string,
  options: DatasetOptions,
  sizes: Record<Split, number>,
  extraKeys: readonly string[] = [],
): CheckedOptions {
  checkKeys(name, options, [...COMMON_KEYS, ...extraKeys])
  const { split, device } = options
  if (split !== 'train' && split !== 'test') {
    throw new TypeError(`${name}: expected split to be 'train' or 'test' but received ${describe(split)}`)
  }
  if (device !== undefined && typeof device !== 'string') {
    throw new TypeError(`${name}: expected device to be a string but received ${describe(device)}`)
  }
  const isTrain = split === 'train'
  const size = sizes[split]
  const examples = checkInteger(
    name,
    'examples',
    options.examples ?? size,
    1,
    size,
    `an integer from 1 to ${size} (the ${split} split)`,
  )
  const batchSize = checkInteger(name, 'batchSize', options.batchSize, 1, 2 ** 16, 'an integer from 1 to 65536')
  const dropLast = checkBoolean(name, 'dropLast', options.dropLast, isTrain)
  if (dropLast && batchSize > examples) {
    throw new RangeError(
      `${name}: expected batchSize at most ${examples} (the examples, with dropLast) but received ${batchSize}`,
    )
  }
  const seed = checkInteger(name, 'seed', options.seed ?? 0, 0, Number.MAX_SAFE_INTEGER, 'a non-negative safe integer')
  const augment = checkBoolean(name, 'augment', options.augment, false)
  const shuffle = checkBoolean(name, 'shuffle', options.shuffle, isTrain)
  return { split, examples, device, plan: { batchSize, dropLast, seed, augment, shuffle } }
}

/** @throws TypeError unless `root` is a path */
export function checkRoot(name: string, root: unknown): void {
  if (typeof root === 'string' && root !== '') return
  throw new TypeError(`${name}: expected root to be the path of a directory but received ${describe(root)}`)
}

/** Checks the options of a data set that is read from a directory; see `checkOptions`. */
export function checkFileOptions(
  name: string,
  options: FileDatasetOptions,
  sizes: Record<Split, number>,
): CheckedOptions & { download: boolean } {
  const checked = checkOptions(name, options, sizes, FILE_KEYS)
  const { root, onProgress } = options
  checkRoot(name, root)
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new TypeError(`${name}: expected onProgress to be a function but received ${describe(onProgress)}`)
  }
  return { ...checked, download: checkBoolean(name, 'download', options.download, false) }
}
