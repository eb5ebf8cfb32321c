/**
 * CIFAR files of src/data/cifar.ts: what is read from good ones, the text of each error for bad ones, and the real
 * data set where IGCNET_DATA tells where it is (skipped without it).
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CIFAR10, CIFAR100, type CifarFormat, cifar10, openCifar } from '../../src/data/cifar.ts'
import type { PlainBatch } from '../../src/data/prefetch.ts'
import { DataError } from '../../src/errors.ts'
import {
  type BatchPrint,
  caught,
  collect,
  collectPrints,
  recordFile,
  SMALL10,
  SMALL100,
  temporaryDirectory,
  writeRecordFiles,
} from '../support/data-samples.ts'

let directory = ''
let remove: () => void
beforeEach(() => {
  const temporary = temporaryDirectory()
  directory = join(temporary.path, 'cifar-10-batches-bin')
  remove = temporary.remove
  mkdirSync(directory)
})
afterEach(() => remove())

const TEST = { split: 'test', batchSize: 10 } as const
const PLAIN_TRAIN = { split: 'train', batchSize: 20, shuffle: false } as const

async function readAll(format: CifarFormat, options: Parameters<typeof openCifar>[1]): Promise<PlainBatch[]> {
  await using loader = openCifar(format, options)
  return await collect(loader.plainBatches())
}

async function readPrints(root: string): Promise<BatchPrint[]> {
  await using loader = openCifar(SMALL10, { root, ...TEST })
  return await collectPrints(loader.plainBatches())
}

describe('reading', () => {
  it('reads all files in order, with their labels and pixels', async () => {
    writeRecordFiles(SMALL10, directory)
    const batches = await readAll(SMALL10, { root: directory, ...PLAIN_TRAIN })
    expect(batches.length).toBe(5)
    for (const [seed, batch] of batches.entries()) {
      const bytes = recordFile(SMALL10, 20, seed)
      expect(Array.from(batch.labels)).toEqual(Array.from({ length: 20 }, (_, i) => bytes[i * 3073]))
      for (const [i, y, x, c] of [
        [0, 0, 0, 0],
        [19, 31, 31, 2],
        [7, 5, 30, 1],
      ] as const) {
        const byte = bytes[i * 3073 + 1 + c * 1024 + y * 32 + x] as number
        const value = Math.fround((byte - (CIFAR10.mean[c] as number)) / (CIFAR10.std[c] as number))
        expect(batch.images[i * 3072 + (y * 32 + x) * 3 + c]).toBe(value)
      }
    }
  })

  it('takes the fine label of CIFAR-100, and the names from its list', async () => {
    const hundred = join(directory, '..', 'cifar-100-binary')
    writeRecordFiles(SMALL100, hundred)
    const loader = openCifar(SMALL100, { root: join(directory, '..'), ...TEST })
    expect(loader).toMatchObject({
      classes: 100,
      classNames: undefined,
      examples: 10,
      mean: [129.304, 124.07, 112.434],
    })
    const names = Array.from({ length: 100 }, (_, i) => `name${i}`)
    writeFileSync(join(hundred, 'fine_label_names.txt'), `${names.join('\n')}\n\n`)
    expect(loader.classNames).toEqual(names)
    const [batch] = await collect(loader.plainBatches())
    await loader.close()
    const bytes = recordFile(SMALL100, 10, 1)
    expect(Array.from(batch?.labels ?? [])).toEqual(Array.from({ length: 10 }, (_, i) => bytes[i * 3074 + 1]))
    const red = ((bytes[2] as number) - 129.304) / 68.17
    expect(batch?.images[0]).toBe(Math.fround(red))
  })

  it('takes the directory where a part of the files lies beside it, too', async () => {
    writeRecordFiles(SMALL10, directory)
    const [expected] = await readPrints(directory)
    for (const name of ['data_batch_1.bin', 'test_batch.bin']) writeFileSync(join(directory, '..', name), 'another')
    expect((await readPrints(join(directory, '..')))[0]).toEqual(expected)
  })

  it('takes the files themselves where the directory beside them is as complete', async () => {
    const root = join(directory, '..')
    writeRecordFiles(SMALL10, directory)
    writeRecordFiles(SMALL10, root)
    writeFileSync(join(directory, 'test_batch.bin'), 'another')
    writeFileSync(join(directory, 'data_batch_1.bin'), 'another')
    expect((await readAll(SMALL10, { root, ...PLAIN_TRAIN })).length).toBe(5)
    expect((await readPrints(root)).length).toBeGreaterThan(0)
  })

  it('accepts the parent of the directory, and a directory of another name', async () => {
    writeRecordFiles(SMALL10, directory)
    const [expected] = await readPrints(directory)
    expect((await readPrints(join(directory, '..')))[0]).toEqual(expected)
    const other = join(directory, '..', 'elsewhere')
    writeRecordFiles(SMALL10, other)
    expect((await readPrints(other))[0]).toEqual(expected)
  })

  it('needs only the files of the first examples, and reads no label after them', async () => {
    writeRecordFiles(SMALL10, directory)
    for (const i of [3, 4, 5]) rmSync(join(directory, `data_batch_${i}.bin`))
    const second = join(directory, 'data_batch_2.bin')
    const bytes = readFileSync(second)
    bytes[15 * 3073] = 77
    writeFileSync(second, bytes)
    const options = { root: directory, ...PLAIN_TRAIN, batchSize: 35, examples: 35 }
    const [batch] = await readAll(SMALL10, options)
    expect(Array.from(batch?.labels.subarray(20) ?? [])).toEqual(Array.from({ length: 15 }, (_, i) => (i + 1) % 10))
    await expect(readAll(SMALL10, { ...options, examples: 36 })).rejects.toThrow('but received 77')
  })
})

describe('errors', () => {
  it.each([
    ['a file', () => join(directory, 'file'), 'ENOTDIR'],
    ['a link to itself', () => join(directory, 'loop'), 'ELOOP'],
    ['a name that is too long', () => join(directory, 'x'.repeat(300)), 'ENAMETOOLONG'],
    ['a zero byte', () => `${directory}\0`, 'ERR_INVALID_ARG_VALUE'],
  ])('names a root that cannot be read, with the cause: %s', (_, at, code) => {
    writeFileSync(join(directory, 'file'), '')
    symlinkSync(join(directory, 'loop'), join(directory, 'loop'))
    const error = caught(() => openCifar(SMALL10, { root: at(), ...TEST }))
    expect(error).toBeInstanceOf(DataError)
    expect(error.message).toContain(`cifar10: cannot read ${at()}`)
    expect(error.cause).toMatchObject({ code })
  })

  it('names a FIFO in place of a file, without waiting', async () => {
    writeRecordFiles(SMALL100, directory)
    for (const name of ['test.bin', 'fine_label_names.txt']) {
      const path = join(directory, name)
      const loader = openCifar(SMALL100, { root: directory, ...TEST })
      rmSync(path, { force: true })
      execFileSync('mkfifo', [path])
      const text = `cifar100: expected a file but received a FIFO: ${path}`
      if (name === 'test.bin') {
        expect(() => openCifar(SMALL100, { root: directory, ...TEST })).toThrow(new DataError(text))
        await expect(loader.ready()).rejects.toThrow(new DataError(text))
        rmSync(path)
        writeRecordFiles(SMALL100, directory)
      } else expect(() => loader.classNames).toThrow(new DataError(text))
      await loader.close()
    }
  })

  it('names the missing files, the address and the command', () => {
    writeFileSync(join(directory, 'data_batch_1.bin'), recordFile(SMALL10, 20, 0))
    expect(() => openCifar(SMALL10, { root: directory, split: 'train', batchSize: 4, examples: 60 })).toThrow(
      new DataError(
        `cifar10: expected data_batch_2.bin, data_batch_3.bin in ${directory} but found no such file; the data set is at ` +
          'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz and this command downloads it: ' +
          `igcnet train --dataset cifar10 --data-dir ${directory} --download`,
      ),
    )
    const nowhere = join(directory, 'nowhere')
    expect(() => openCifar(SMALL100, { root: nowhere, ...TEST })).toThrow(
      new DataError(
        `cifar100: expected test.bin in ${nowhere}/cifar-100-binary but found no such file; the data set is at ` +
          'https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz and this command downloads it: ' +
          `igcnet train --dataset cifar100 --data-dir ${nowhere} --download`,
      ),
    )
  })

  // Files of zeros without blocks on disk: the sizes are those of the real data sets.
  it.each([
    [
      CIFAR10,
      'test_batch.bin',
      30_729_999,
      '30730000 bytes (10000 records of 3073)',
      'it ends at byte offset 30729999, in record 9999',
    ],
    [CIFAR10, 'test_batch.bin', 0, '30730000 bytes (10000 records of 3073)', 'it ends at byte offset 0, in record 0'],
    [
      CIFAR10,
      'test_batch.bin',
      30_730_001,
      '30730000 bytes (10000 records of 3073)',
      'it goes on after byte offset 30730000',
    ],
    [
      CIFAR100,
      'test.bin',
      30_739_999,
      '30740000 bytes (10000 records of 3074)',
      'it ends at byte offset 30739999, in record 9999',
    ],
    [
      CIFAR100,
      'test.bin',
      30_740_001,
      '30740000 bytes (10000 records of 3074)',
      'it goes on after byte offset 30740000',
    ],
  ])('refuses a file of a wrong size: %o %s %i', (format, file, size, expected, where) => {
    const path = join(directory, file)
    writeFileSync(path, '')
    truncateSync(path, size)
    expect(() => openCifar(format, { root: directory, ...TEST })).toThrow(
      new DataError(`${format.name}: expected ${expected} in ${path} but received ${size}: ${where}`),
    )
  })

  it('refuses a file that became shorter since the loader was made', async () => {
    writeRecordFiles(SMALL10, directory)
    await using loader = openCifar(SMALL10, { root: directory, ...TEST })
    truncateSync(join(directory, 'test_batch.bin'), 3073)
    await expect(loader.ready()).rejects.toThrow('it ends at byte offset 3073, in record 1')
  })

  it('refuses a label of no class, at its byte offset', async () => {
    const path = join(directory, 'test_batch.bin')
    const bytes = recordFile(SMALL10, 10, 0)
    bytes[3 * 3073] = 10
    writeFileSync(path, bytes)
    await using loader = openCifar(SMALL10, { root: directory, ...TEST })
    await expect(collect(loader.plainBatches())).rejects.toThrow(
      new DataError(`cifar10: expected a label 0..9 at byte offset 9219 of ${path} but received 10`),
    )
  })

  it.each([
    [2 * 3074 + 1, 100, '0..99'],
    [2 * 3074, 20, '0..19'],
  ])('refuses a CIFAR-100 label of no class at %i', async (offset, label, range) => {
    const path = join(directory, 'test.bin')
    const bytes = recordFile(SMALL100, 10, 0)
    bytes[offset] = label
    writeFileSync(path, bytes)
    await using loader = openCifar(SMALL100, { root: directory, ...TEST })
    await expect(loader.ready()).rejects.toThrow(
      new DataError(`cifar100: expected a label ${range} at byte offset ${offset} of ${path} but received ${label}`),
    )
  })

  it('refuses a directory in place of a file', () => {
    mkdirSync(join(directory, 'test_batch.bin'))
    expect(() => cifar10({ root: directory, ...TEST })).toThrow('cifar10: expected a file but received a folder')
  })
})

const real = process.env.IGCNET_DATA ?? ''
const isThere = ['', 'cifar-10-batches-bin'].some(folder => existsSync(join(real, folder, 'test_batch.bin')))

describe.skipIf(real === '' || !isThere)('the real CIFAR-10', () => {
  it('has the known first test image and balanced labels', async () => {
    await using loader = cifar10({ root: real, split: 'test', batchSize: 10_000 })
    const [batch] = await collect(loader.plainBatches())
    const labels = batch?.labels ?? new Int32Array()
    expect(loader.classNames?.[labels[0] as number]).toBe('cat')
    for (let label = 0; label < 10; label++) expect(labels.filter(l => l === label).length).toBe(1000)
    // Back to bytes in the order of the file.
    const bytes = Uint8Array.from({ length: 3072 }, (_, i) => {
      const c = Math.floor(i / 1024)
      const value = batch?.images[(i % 1024) * 3 + c] as number
      return Math.round(value * (loader.std[c] as number) + (loader.mean[c] as number))
    })
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '73eefb0106f2b7a2660668be6875682f6aa9c20820633725642b0cc87dc59198',
    )
  })

  it('is normalised to about mean 0 and deviation 1', async () => {
    await using loader = cifar10({ root: real, split: 'train', batchSize: 10_000, examples: 10_000, shuffle: false })
    const [batch] = await collect(loader.plainBatches())
    const images = batch?.images ?? new Float32Array()
    for (const c of [0, 1, 2]) {
      let sum = 0
      let squares = 0
      for (let i = c; i < images.length; i += 3) {
        sum += images[i] as number
        squares += (images[i] as number) ** 2
      }
      const n = images.length / 3
      expect(Math.abs(sum / n)).toBeLessThan(0.02)
      expect(Math.abs(squares / n - 1)).toBeLessThan(0.03)
    }
  })
})
