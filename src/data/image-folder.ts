/**
 * Folders of images: `root/train/<class>/<image>` and `root/test/<class>/<image>`, the layout of PyTorch's ImageFolder for
 * each split. Decoded by sharp, which is installed beside igcnet by whoever wants this. Checked in
 * test/unit/data-image-folder.test.ts.
 */
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { extname, join, resolve } from 'node:path'
import { DataError, InstallError } from '../errors.ts'
import { checkIsFile, statOf } from '../file.ts'
import { Loader } from './loader.ts'
import { checkOptions, checkRoot, type DatasetOptions, type Split } from './options.ts'
import { CHANNELS, IMAGE_VALUES, type ImageSource, normalisationTable, PIXELS, SIZE } from './prepare.ts'

const NAME = 'imageFolder'
const EXTENSIONS = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif']

/** Options of `imageFolder`. */
export interface ImageFolderOptions extends DatasetOptions {
  /** The folder that has the folders `train` and `test`. */
  root: string
  /**
   * The names of the classes of a model, by label; the folder may have fewer. Default: the folders in `train`, in the order
   * of their names.
   */
  classes?: readonly string[] | undefined
  /** Subtracted from the bytes 0..255 of red, green and blue. Default: 127.5 each. */
  mean?: readonly [number, number, number] | undefined
  /** What the difference is then divided by. Default: 127.5 each, so that values are -1..1. */
  std?: readonly [number, number, number] | undefined
  /** Whether augmentation mirrors images. Default: true. */
  mirror?: boolean | undefined
}

/** A folder's files or folders, by name. */
function entries(path: string, kind: 'folders' | 'images'): string[] {
  let found: string[]
  try {
    found = readdirSync(path).filter(name => !name.startsWith('.'))
  } catch (cause) {
    throw new DataError(`${NAME}: cannot read the folder ${path}: ${(cause as Error).message}`, { cause })
  }
  const fits = (name: string) => {
    const file = join(path, name)
    const stats = statOf(NAME, file)
    if (kind === 'folders') {
      if (stats) return stats.isDirectory()
      throw new DataError(
        `${NAME}: expected a folder or file but ${file} is a link to nothing, or has a name that is not UTF-8`,
      )
    }
    if (stats?.isDirectory()) {
      throw new DataError(`${NAME}: expected images right in the folder of their class but found the folder ${file}`)
    }
    if (!EXTENSIONS.includes(extname(name).toLowerCase())) return false
    if (stats) checkIsFile(NAME, file, stats) // of a link to nothing the decoder tells
    return true
  }
  return found.filter(fits).sort()
}

/**
 * The classes of a folder of images: the names of the folders in `root/train`, in the order of their labels.
 * @throws DataError for a folder that cannot be read or has no folders
 */
export function imageFolderClasses(root: string): string[] {
  const train = join(resolve(root), 'train')
  const classes = entries(train, 'folders')
  if (classes.length === 0) throw new DataError(`${NAME}: expected a folder for each class in ${train} but found none`)
  return classes
}

interface LabelledFile {
  path: string
  label: number
}

function filesOf(root: string, split: Split, classes: readonly string[], whose: string): LabelledFile[] {
  const folder = join(resolve(root), split)
  const files = entries(folder, 'folders').flatMap(name => {
    const label = classes.indexOf(name)
    if (label < 0) {
      throw new DataError(
        `${NAME}: expected the classes of ${whose} (${classes.join(', ')}) in ${folder} but found ${name}`,
      )
    }
    const images = entries(join(folder, name), 'images')
    if (images.length === 0) {
      throw new DataError(`${NAME}: expected images (${EXTENSIONS.join(', ')}) in ${join(folder, name)} but found none`)
    }
    return images.map((image, i) => ({ path: join(folder, name, image), label, i }))
  })
  // The first of each class, then the second of each: so the first N examples are of all classes.
  return files.sort((a, b) => a.i - b.i || a.label - b.label)
}

function checkTriple(key: string, value: readonly number[] | undefined, isStd: boolean): readonly number[] {
  if (value === undefined) return [127.5, 127.5, 127.5]
  const fits = (item: unknown) => Number.isFinite(item) && (!isStd || (item as number) > 0)
  if (!Array.isArray(value) || value.length !== CHANNELS || !value.every(fits)) {
    const expected = `three ${isStd ? 'positive ' : ''}numbers`
    throw new TypeError(`${NAME}: expected ${key} to be ${expected} but received ${JSON.stringify(value)}`)
  }
  return value
}

function checkClasses(classes: unknown): void {
  const fits = (name: unknown) => typeof name === 'string' && name !== ''
  if (Array.isArray(classes) && classes.every(fits) && new Set(classes).size === classes.length) return
  throw new TypeError(`${NAME}: expected classes to be different names but received ${JSON.stringify(classes)}`)
}

/**
 * Images from folders, one a class: `root/train/<class>/<image>` and `root/test/<class>/<image>` (JPEG, PNG, WebP, GIF,
 * TIFF, AVIF). Labels are the places of the class folders of the training split in the order of their names, or in
 * `classes`; examples are ordered by turns, one of each class. Every image is turned as its EXIF orientation says, cropped
 * to the square in its middle and scaled to 32x32; what is transparent becomes white. The batches are [N, 32, 32, 3] f32,
 * (byte - mean) / std. All images are decoded once, into memory (3 KiB each). Needs the package `sharp` beside igcnet.
 * @throws TypeError, RangeError for options that make no sense; DataError for folders and files that cannot be read or
 * decoded; InstallError without sharp (in the first loop, or `ready()`)
 * @example
 * const train = data.imageFolder({ root: 'photos', split: 'train', batchSize: 32, augment: true })
 */
export function imageFolder(options: ImageFolderOptions): Loader {
  if (typeof options === 'object' && options !== null) checkRoot(NAME, options.root)
  const { root, split, mirror = true } = options ?? {}
  const mean = checkTriple('mean', options?.mean, false)
  const std = checkTriple('std', options?.std, true)
  if (typeof mirror !== 'boolean') {
    throw new TypeError(`${NAME}: expected mirror to be true or false but received ${String(mirror)}`)
  }
  const isSplit = split === 'train' || split === 'test'
  const classes = options?.classes ?? (isSplit ? imageFolderClasses(root) : [])
  checkClasses(classes)
  const whose = options?.classes ? 'the model' : 'the training split'
  const files = isSplit ? filesOf(root, split, classes, whose) : []
  if (isSplit && files.length === 0)
    throw new DataError(`${NAME}: expected images in ${join(resolve(root), split)} but found none`)
  const sizes = { train: files.length, test: files.length }
  const checked = checkOptions(NAME, options, sizes, ['root', 'classes', 'mean', 'std', 'mirror'])
  return new Loader({
    name: 'folder',
    plan: checked.plan,
    examples: checked.examples,
    device: checked.device,
    classes: classes.length,
    classNames: () => classes,
    mean,
    std,
    open: signal => decodeAll(files.slice(0, checked.examples), { mean, std, mirror }, signal),
  })
}

async function loadSharp() {
  try {
    return (await import('sharp')).default
  } catch (cause) {
    const { message } = cause as Error
    throw new InstallError(
      `${NAME}: the package sharp, which decodes images, could not be loaded: install it with \`npm install sharp\` ` +
        `(${message.split('\n')[0]})`,
      { cause },
    )
  }
}

async function decodeAll(
  files: readonly LabelledFile[],
  { mean, std, mirror }: { mean: readonly number[]; std: readonly number[]; mirror: boolean },
  signal: AbortSignal,
): Promise<ImageSource> {
  const sharp = await loadSharp()
  const values = new Uint8Array(new SharedArrayBuffer(files.length * IMAGE_VALUES))
  const labels = new Int32Array(new SharedArrayBuffer(files.length * Int32Array.BYTES_PER_ELEMENT))
  let next = 0
  const decodeSome = async () => {
    while (next < files.length && !signal.aborted) {
      const i = next++
      const { path, label } = files[i] as LabelledFile
      labels[i] = label
      try {
        const image = sharp(path, { failOn: 'error' })
          .autoOrient()
          .toColourspace('srgb')
          .flatten({ background: '#fff' })
        const pixels = await image.resize(SIZE, SIZE, { fit: 'cover' }).raw().toBuffer()
        writePlanes(pixels, values, i * IMAGE_VALUES)
      } catch (cause) {
        throw new DataError(`${NAME}: cannot decode ${path}: ${(cause as Error).message}`, { cause })
      }
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, decodeSome))
  signal.throwIfAborted()
  const table = normalisationTable(mean, std)
  return { values, stride: IMAGE_VALUES, start: 0, planes: 3, table, padValue: 0, mirror, labels }
}

/** From pixels with their channels side by side (one channel: grey) to three planes. */
function writePlanes(pixels: Uint8Array, out: Uint8Array, at: number): void {
  const channels = pixels.length / PIXELS
  for (let c = 0; c < CHANNELS; c++) {
    for (let p = 0; p < PIXELS; p++)
      out[at + c * PIXELS + p] = pixels[p * channels + (channels === CHANNELS ? c : 0)] as number
  }
}
