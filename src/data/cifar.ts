/**
 * CIFAR-10 and CIFAR-100 in their binary format (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html): files
 * of records, a record is one or two label bytes and 1,024 red, green and blue bytes, row by row. Checked in
 * test/unit/data-cifar.test.ts, with made-up files and, where it is at hand, with the real data set.
 */

import { readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { DataError } from '../errors.ts'
import { checkIsFile, openFile, readError, statOf } from '../file.ts'
import { type Archive, download } from './download.ts'
import { Loader } from './loader.ts'
import { type CheckedOptions, checkFileOptions, type FileDatasetOptions, type Split } from './options.ts'
import { IMAGE_VALUES, type ImageSource, normalisationTable } from './prepare.ts'

/** One data set of the family. */
export interface CifarFormat {
  /** As the command line and messages name it. */
  readonly name: string
  /** The directory in its archive. */
  readonly directory: string
  readonly files: Record<Split, readonly string[]>
  readonly recordsPerFile: Record<Split, number>
  /** The number of classes that each label byte of a record tells apart; the last byte is the label used. */
  readonly labelClasses: readonly number[]
  readonly classNames?: readonly string[]
  /** A file with the names of the classes, one a line. */
  readonly classNamesFile: string
  /** Of the training images, RGB, for bytes 0..255: the constants of the IGC authors' training scripts. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly archive: Archive
}

export const CIFAR10: CifarFormat = {
  name: 'cifar10',
  directory: 'cifar-10-batches-bin',
  files: { train: [1, 2, 3, 4, 5].map(i => `data_batch_${i}.bin`), test: ['test_batch.bin'] },
  recordsPerFile: { train: 10_000, test: 10_000 },
  labelClasses: [10],
  classNames: ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
  classNamesFile: 'batches.meta.txt',
  mean: [125.307, 122.95, 113.865],
  std: [62.993, 62.089, 66.705],
  archive: {
    url: 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
    md5: 'c32a1d4ab5d03f1284b67883e8d87530',
  },
}

export const CIFAR100: CifarFormat = {
  name: 'cifar100',
  directory: 'cifar-100-binary',
  files: { train: ['train.bin'], test: ['test.bin'] },
  recordsPerFile: { train: 50_000, test: 10_000 },
  labelClasses: [20, 100],
  classNamesFile: 'fine_label_names.txt',
  mean: [129.304, 124.07, 112.434],
  std: [68.17, 65.392, 70.418],
  archive: {
    url: 'https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz',
    md5: '03b5dce01913d631647c71ecec9e9cb8',
  },
}

/** Options of `cifar10` and `cifar100`. */
export type CifarOptions = FileDatasetOptions

/**
 * CIFAR-10: 50,000 training and 10,000 test images of 10 classes; images [N, 32, 32, 3] f32, (byte - mean) / std by
 * channel, and labels [N] i32. `augment` is that of the IGC papers: pad by 4 pixels of the mean, crop 32x32 at
 * random, mirror with probability 1/2. With `examples`, only the files that hold the first N must exist.
 * @throws TypeError, RangeError for options that make no sense; DataError for missing or malformed files, at once or
 * in the first loop (`ready()`)
 * @example
 * const train = data.cifar10({ root: 'cifar-10-batches-bin', split: 'train', batchSize: 64, augment: true })
 */
export function cifar10(options: CifarOptions): Loader {
  return openCifar(CIFAR10, options)
}

/** CIFAR-100, with its 100 fine labels; otherwise as `cifar10`. */
export function cifar100(options: CifarOptions): Loader {
  return openCifar(CIFAR100, options)
}

/** A loader for any data set of the family. */
export function openCifar(format: CifarFormat, options: CifarOptions): Loader {
  const size = (split: Split) => format.files[split].length * format.recordsPerFile[split]
  const checked = checkFileOptions(format.name, options, { train: size('train'), test: size('test') })
  const needed = neededFiles(format, checked)
  const root = resolve(options.root)
  const onProgress = options.onProgress
  let directory = findDirectory(format, root, needed)
  const missing = missingFiles(format, directory, needed)
  if (missing.length > 0 && !checked.download) throw missingError(format, options.root, directory, missing)
  for (const file of needed) if (!missing.includes(file)) checkSize(format, checked.split, join(directory, file))
  return new Loader({
    name: format.name,
    plan: checked.plan,
    examples: checked.examples,
    device: checked.device,
    classes: format.labelClasses.at(-1) as number,
    classNames: () => format.classNames ?? readClassNames(format, directory),
    mean: format.mean,
    std: format.std,
    open: async signal => {
      // Looked at again: another loader may have downloaded them meanwhile.
      directory = findDirectory(format, root, needed)
      const absent = missingFiles(format, directory, needed)
      if (absent.length > 0 && !checked.download) throw missingError(format, options.root, directory, absent)
      if (absent.length > 0) {
        const { name, archive } = format
        await download({
          name,
          archive,
          directory,
          files: [...format.files.train, ...format.files.test],
          onProgress,
          signal,
        })
      }
      return readSource(format, directory, needed, checked)
    },
  })
}

function neededFiles(format: CifarFormat, { split, examples }: CheckedOptions): readonly string[] {
  return format.files[split].slice(0, Math.ceil(examples / format.recordsPerFile[split]))
}

function missingFiles({ name }: CifarFormat, directory: string, files: readonly string[]): string[] {
  return files.filter(file => statOf(name, join(directory, file)) === undefined)
}

/**
 * Where fewer of the needed files are missing, or else of all: `root` itself, or the directory in it. Where both are alike,
 * `root` if it holds any, or has the name of the data set.
 */
function findDirectory(format: CifarFormat, root: string, needed: readonly string[]): string {
  const inner = join(root, format.directory)
  const all = [...format.files.train, ...format.files.test]
  for (const files of [needed, all]) {
    const [here, there] = [root, inner].map(place => missingFiles(format, place, files).length) as [number, number]
    if (here !== there) return here < there ? root : inner
  }
  const holdsFiles = missingFiles(format, root, all).length < all.length
  return holdsFiles || basename(root) === format.directory ? root : inner
}

function missingError({ name, archive }: CifarFormat, root: string, directory: string, missing: string[]): DataError {
  return new DataError(
    `${name}: expected ${missing.join(', ')} in ${directory} but found no such file; the data set is at ${archive.url} ` +
      `and this command downloads it: igcnet train --dataset ${name} --data-dir ${root} --download`,
  )
}

function recordLength(format: CifarFormat): number {
  return format.labelClasses.length + IMAGE_VALUES
}

/** Throws a DataError unless the file has exactly the records of its split. */
function checkSize(format: CifarFormat, split: Split, path: string): void {
  const length = recordLength(format)
  const records = format.recordsPerFile[split]
  const expected = records * length
  const stats = statOf(format.name, path)
  if (stats === undefined) throw new DataError(`${format.name}: expected the file ${path} but it is gone`)
  checkIsFile(format.name, path, stats)
  const { size } = stats
  if (size === expected) return
  const where =
    size < expected
      ? `it ends at byte offset ${size}, in record ${Math.floor(size / length)}`
      : `it goes on after byte offset ${expected}`
  throw new DataError(
    `${format.name}: expected ${expected} bytes (${records} records of ${length}) in ${path} but received ${size}: ${where}`,
  )
}

/** Reads the first examples of the split: of the last file only what is needed. */
async function readSource(
  format: CifarFormat,
  directory: string,
  needed: readonly string[],
  { split, examples }: CheckedOptions,
): Promise<ImageSource> {
  const stride = recordLength(format)
  const values = new Uint8Array(new SharedArrayBuffer(examples * stride))
  const labels = new Int32Array(new SharedArrayBuffer(examples * Int32Array.BYTES_PER_ELEMENT))
  const perFile = format.recordsPerFile[split]
  for (const [i, file] of needed.entries()) {
    const path = join(directory, file)
    const first = i * perFile
    const count = Math.min(perFile, examples - first)
    const part = values.subarray(first * stride, (first + count) * stride)
    try {
      checkSize(format, split, path)
      await readInto(format, path, part)
    } catch (cause) {
      throw cause instanceof DataError ? cause : readError(format.name, path, cause)
    }
    readLabels(format, part, labels.subarray(first, first + count), path)
  }
  const table = normalisationTable(format.mean, format.std)
  return { values, stride, start: format.labelClasses.length, planes: 3, table, padValue: 0, mirror: true, labels }
}

/** Fills `out` with the first bytes of a file. */
async function readInto({ name }: CifarFormat, path: string, out: Uint8Array): Promise<void> {
  const handle = await openFile(name, path)
  try {
    for (let done = 0; done < out.length; ) {
      const { bytesRead } = await handle.read(out, done, out.length - done, done)
      if (bytesRead === 0) throw new Error(`it ended at byte offset ${done} while it was read`)
      done += bytesRead
    }
  } finally {
    await handle.close()
  }
}

/** Copies the labels out of records, and checks them. */
function readLabels(format: CifarFormat, records: Uint8Array, labels: Int32Array, path: string): void {
  const stride = recordLength(format)
  for (let i = 0; i < labels.length; i++) {
    for (const [j, classes] of format.labelClasses.entries()) {
      const offset = i * stride + j
      const label = records[offset] as number
      if (label >= classes) {
        throw new DataError(
          `${format.name}: expected a label 0..${classes - 1} at byte offset ${offset} of ${path} but received ${label}`,
        )
      }
      labels[i] = label
    }
  }
}

/** The names in the data set's own list, if it is there and has one for each class. */
function readClassNames(format: CifarFormat, directory: string): readonly string[] | undefined {
  const path = join(directory, format.classNamesFile)
  const stats = statOf(format.name, path)
  if (stats === undefined) return undefined
  checkIsFile(format.name, path, stats)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw readError(format.name, path, cause)
  }
  const names = text.split(/\r?\n/).filter(line => line !== '')
  return names.length === format.labelClasses.at(-1) ? names : undefined
}
