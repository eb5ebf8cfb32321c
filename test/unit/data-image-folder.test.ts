/** Folders of images: what is decoded, in which order, with which labels, and the text of each error. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { imageFolder } from '../../src/data/index.ts'
import { DataError, InstallError } from '../../src/errors.ts'
import { crossEntropy } from '../../src/nn/index.ts'
import { tensor } from '../../src/tensor.ts'
import { evaluateCheckpoint, loadNetwork, readConfig, train, withDefaults } from '../../src/train/index.ts'
import { caught, collect, noise, temporaryDirectory } from '../support/data-samples.ts'

let root = ''
let remove: () => void
beforeEach(() => ({ path: root, remove } = temporaryDirectory()))
afterEach(() => remove())

/** Writes an image of noise; its bytes, pixel by pixel. */
async function write(
  path: string,
  { channels = 3, size = 32, seed = 1 }: { channels?: 1 | 3 | 4; size?: number; seed?: number } = {},
) {
  mkdirSync(join(root, path, '..'), { recursive: true })
  const bytes = noise(size * size * channels, seed)
  await sharp(bytes, { raw: { width: size, height: size, channels } }).toFile(join(root, path))
  return bytes
}

/** Three classes with an image each in both splits, and a second training image of the first. */
async function writeSmall() {
  for (const split of ['train', 'test']) {
    for (const [seed, name] of ['birch', 'ash', 'cedar'].entries()) await write(`${split}/${name}/0.png`, { seed })
  }
  await write('train/ash/1.png', { seed: 9 })
}

const options = { split: 'train', batchSize: 8, shuffle: false, dropLast: false } as const

async function readAll(more: object = {}) {
  await using loader = imageFolder({ root, ...options, ...more })
  return (await collect(loader.plainBatches()))[0] as { images: Float32Array; labels: Int32Array; count: number }
}

describe('reading', () => {
  it('takes the classes from the names of the folders, and their images by turns', async () => {
    await writeSmall()
    writeFileSync(join(root, 'train/ash/notes.txt'), 'no image')
    writeFileSync(join(root, 'train/.hidden'), '')
    const loader = imageFolder({ root, ...options })
    expect(loader).toMatchObject({ name: 'folder', classes: 3, examples: 4 })
    expect(loader.classNames).toEqual(['ash', 'birch', 'cedar'])
    await loader.close()
    expect([...(await readAll()).labels]).toEqual([0, 1, 2, 0])
    expect([...(await readAll({ examples: 3 })).labels]).toEqual([0, 1, 2])
    expect([...(await readAll({ split: 'test' })).labels]).toEqual([0, 1, 2])
  })

  it('gives the bytes of an image of 32x32 as they are, normalised', async () => {
    const bytes = await write('train/a/0.png')
    const [mean, std] = [
      [1, 2, 3],
      [4, 5, 6],
    ] as [number[], number[]]
    const plain = await readAll()
    const scaled = await readAll({ mean, std })
    for (const [i, byte] of bytes.entries()) {
      expect(plain.images[i]).toBe(Math.fround((byte - 127.5) / 127.5))
      expect(scaled.images[i]).toBe(Math.fround((byte - (mean[i % 3] as number)) / (std[i % 3] as number)))
    }
  })

  it('gives grey images three equal channels, and fills what is transparent with white', async () => {
    const grey = await write('train/a/0.png', { channels: 1 })
    const { images } = await readAll()
    for (const [i, byte] of grey.entries()) {
      for (let c = 0; c < 3; c++) expect(images[3 * i + c]).toBe(Math.fround((byte - 127.5) / 127.5))
    }
    const clear = {
      create: { width: 32, height: 32, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } },
    } as const
    await sharp(clear).png().toFile(join(root, 'train/a/0.png'))
    expect(new Set((await readAll()).images)).toEqual(new Set([1]))
  })

  it('crops to the middle, scales, and turns as EXIF says', async () => {
    mkdirSync(join(root, 'train/a'), { recursive: true })
    // Left half black, right half white; three times as wide as high, and turned by a quarter (orientation 6).
    const half = { create: { width: 192, height: 64, channels: 3, background: '#000' } } as const
    const white = await sharp({ create: { width: 96, height: 64, channels: 3, background: '#fff' } })
      .png()
      .toBuffer()
    const picture = sharp(half).composite([{ input: white, left: 96, top: 0 }])
    await picture.clone().jpeg().toFile(join(root, 'train/a/0.jpg'))
    await picture.clone().jpeg().withMetadata({ orientation: 6 }).toFile(join(root, 'train/a/1.jpg'))
    const { images } = await readAll()
    const at = (i: number, y: number, x: number) => images[(i * 1024 + y * 32 + x) * 3] as number
    expect([at(0, 16, 4), at(0, 16, 28)].map(Math.round)).toEqual([-1, 1])
    expect([at(1, 4, 16), at(1, 28, 16)].map(Math.round)).toEqual([-1, 1])
  })

  it('mirrors when it augments, unless told otherwise', async () => {
    await write('train/a/0.png')
    await using loader = imageFolder({ root, ...options, batchSize: 1, augment: true, mirror: false })
    expect(await collect(loader.plainBatches())).toHaveLength(1)
  })
})

describe('training', () => {
  it('runs on a folder, with as many classes as it has', async () => {
    await writeSmall()
    const config = {
      dataset: 'folder',
      dataDir: root,
      depth: 5,
      primaryPartition: 2,
      batchSize: 2,
      numEpochs: 1,
    } as const
    const complete = withDefaults(config)
    expect(complete.numClasses).toBe(3)
    const result = await train(complete, { runDir: join(root, 'run') })
    expect(result.epochs).toBe(1)
    const few = withDefaults({ ...config, numClasses: 2 })
    const text = `config: expected at least the 3 classes of ${root} for numClasses but received 2`
    await expect(train(few, { runDir: join(root, 'few') })).rejects.toThrow(new RangeError(text))
  })

  const tiny = { dataset: 'folder', depth: 5, primaryPartition: 2, batchSize: 2, testBatchSize: 2, threads: 1 } as const

  it('keeps the names of the classes, and goes on with the same only', async () => {
    await writeSmall()
    const config = withDefaults({ ...tiny, dataDir: root, numClasses: 4, numEpochs: 1 })
    const runDir = join(root, 'run')
    await train(config, { runDir })
    expect((await readConfig(runDir)).classNames).toEqual(['ash', 'birch', 'cedar'])
    expect((await readConfig(join(runDir, 'last.safetensors'))).classNames).toEqual(['ash', 'birch', 'cedar'])
    const again = { runDir, resume: runDir }
    expect((await train({ ...config, numEpochs: 2 }, again)).epochs).toBe(2)
    for (const split of ['train', 'test']) renameSync(join(root, split, 'ash'), join(root, split, 'zelkova'))
    const text = `config: expected the classes ash, birch, cedar in ${root} but received birch, cedar, zelkova`
    for (const classNames of [undefined, ['ash', 'birch', 'cedar'], ['birch', 'cedar', 'zelkova']]) {
      const error = await train({ ...config, numEpochs: 3, classNames }, again).catch(reason => reason)
      expect(error).toEqual(new DataError(text))
    }
  })

  it('is evaluated on classes of the same names, also on some of them', async () => {
    await writeSmall()
    const runDir = join(root, 'run')
    await train(withDefaults({ ...tiny, dataDir: root, numEpochs: 2 }), { runDir })
    const other = join(root, 'other')
    cpSync(join(root, 'test', 'birch'), join(other, 'test', 'birch'), { recursive: true })
    const evaluateIn = async (dataDir: string) =>
      (await evaluateCheckpoint(runDir, { config: { dataDir } })) as { top1: number; loss: number }
    const { net } = await loadNetwork(runDir)
    await using loader = imageFolder({ root, split: 'test', batchSize: 1 })
    const [, birch] = await collect(loader.plainBatches())
    const { images } = birch as { images: Float32Array<ArrayBuffer> }
    const logits = net.eval().forward(tensor(images, [1, 32, 32, 3]))
    const loss = await crossEntropy(logits, tensor(new Int32Array([1]), [1])).item()
    expect((await evaluateIn(other)).loss).toBeCloseTo(loss, 5)
    net.dispose()
    renameSync(join(other, 'test', 'birch'), join(other, 'test', 'yew'))
    await expect(evaluateIn(other)).rejects.toThrow(
      new DataError(
        `imageFolder: expected the classes of the model (ash, birch, cedar) in ${join(other, 'test')} but found yew`,
      ),
    )
  })

  it('says that images came or went when the steps of an epoch are others', async () => {
    await writeSmall()
    const runDir = join(root, 'run')
    const config = withDefaults({ ...tiny, dataDir: root, numEpochs: 2 })
    await train(config, { runDir })
    for (const seed of [2, 3]) await write(`train/ash/${seed}.png`, { seed })
    await expect(train({ ...config, numEpochs: 3 }, { runDir, resume: runDir })).rejects.toThrow(
      new DataError(
        `resume: expected the images of the run of ${join(runDir, 'last.safetensors')}, 2 batches, but received 3 batches: ` +
          'folder has 6 images now',
      ),
    )
  })
})

describe('errors', () => {
  const expectError = (more: object, error: Error) =>
    expect(() => imageFolder({ root, ...options, ...more })).toThrow(error)

  it('name the folder', async () => {
    const gone = join(root, 'train')
    const text = `ENOENT: no such file or directory, scandir '${gone}'`
    expectError({}, new DataError(`imageFolder: cannot read the folder ${gone}: ${text}`))
    mkdirSync(gone)
    expectError({}, new DataError(`imageFolder: expected a folder for each class in ${gone} but found none`))
    mkdirSync(join(gone, 'empty'))
    const kinds = '.jpg, .jpeg, .png, .webp, .gif, .tif, .tiff, .avif'
    expectError({}, new DataError(`imageFolder: expected images (${kinds}) in ${join(gone, 'empty')} but found none`))
    mkdirSync(join(gone, 'empty', 'deeper'))
    const nested = `found the folder ${join(gone, 'empty', 'deeper')}`
    expectError({}, new DataError(`imageFolder: expected images right in the folder of their class but ${nested}`))
    symlinkSync(join(root, 'nowhere'), join(gone, 'link'))
    const lost = `${join(gone, 'link')} is a link to nothing, or has a name that is not UTF-8`
    expectError({}, new DataError(`imageFolder: expected a folder or file but ${lost}`))
  })

  it('name a split without classes', async () => {
    await writeSmall()
    rmSync(join(root, 'test'), { recursive: true, force: true })
    mkdirSync(join(root, 'test'))
    expectError(
      { split: 'test' },
      new DataError(`imageFolder: expected images in ${join(root, 'test')} but found none`),
    )
  })

  it('name the file that cannot be decoded', async () => {
    await writeSmall()
    const path = join(root, 'train/birch/0.png')
    writeFileSync(path, 'no image')
    await expect(readAll()).rejects.toThrow(DataError)
    await expect(readAll()).rejects.toThrow(`imageFolder: cannot decode ${path}: `)
    const cut = join(root, 'train/cedar/0.png')
    const bytes = await sharp(cut).png().toBuffer()
    writeFileSync(cut, bytes.subarray(0, bytes.length / 2))
    rmSync(join(root, 'train/birch'), { recursive: true })
    await expect(readAll()).rejects.toThrow(`imageFolder: cannot decode ${cut}: `)
  })

  it('name a FIFO, which would never end, and a link that leads nowhere', async () => {
    await writeSmall()
    const fifo = join(root, 'train/birch/1.png')
    execFileSync('mkfifo', [fifo, join(root, 'train/birch/notes.txt'), join(root, 'train/pipe.png')])
    expectError({}, new DataError(`imageFolder: expected a file but received a FIFO: ${fifo}`))
    rmSync(fifo)
    expect([...(await readAll()).labels]).toEqual([0, 1, 2, 0])
    symlinkSync(fifo, fifo)
    expectError(
      {},
      new DataError(`imageFolder: cannot read ${fifo}: ELOOP: too many symbolic links encountered, stat '${fifo}'`),
    )
  })

  it.each([
    ['a file', () => join(root, 'file')],
    ['a name that is too long', () => join(root, 'x'.repeat(300))],
    ['a zero byte', () => `${root}\0`],
  ])('name a root that cannot be read: %s', (_, at) => {
    writeFileSync(join(root, 'file'), '')
    const error = caught(() => imageFolder({ ...options, root: at() }))
    expect(error).toBeInstanceOf(DataError)
    expect(error.message).toContain(`imageFolder: cannot read the folder ${at()}`)
    expect(error.cause).toBeInstanceOf(Error)
  })

  it('name a class that only the test split has', async () => {
    await writeSmall()
    await write('test/yew/0.png')
    expectError(
      { split: 'test' },
      new DataError(
        `imageFolder: expected the classes of the training split (ash, birch, cedar) in ${join(root, 'test')} but found yew`,
      ),
    )
  })

  it('name the option that makes no sense', async () => {
    await writeSmall()
    expectError({ root: '' }, new TypeError("imageFolder: expected root to be the path of a directory but received ''"))
    expectError(
      { split: 'all' },
      new TypeError("imageFolder: expected split to be 'train' or 'test' but received 'all'"),
    )
    expectError({ mean: [1] }, new TypeError('imageFolder: expected mean to be three numbers but received [1]'))
    const std = new TypeError('imageFolder: expected std to be three positive numbers but received [1,0,1]')
    expectError({ std: [1, 0, 1] }, std)
    for (const classes of [['ash', 'ash'], ['ash', 1], 'ash']) {
      const text = `imageFolder: expected classes to be different names but received ${JSON.stringify(classes)}`
      expectError({ classes }, new TypeError(text))
    }
    expectError({ mirror: 1 }, new TypeError('imageFolder: expected mirror to be true or false but received 1'))
    expect(() => imageFolder(undefined as never)).toThrow(TypeError)
  })

  it('say that sharp is missing', async () => {
    await writeSmall()
    vi.doMock('sharp', () => {
      throw new Error("Cannot find package 'sharp'")
    })
    await expect(readAll()).rejects.toThrow(InstallError)
    await expect(readAll()).rejects.toThrow(
      /^imageFolder: the package sharp, which decodes images, could not be loaded: install it with `npm install sharp` \(/,
    )
    vi.doUnmock('sharp')
  })
})
