/**
 * The handwritten digits that come with igcnet: 1,797 images of 8x8 pixels with 17 grey levels (data/digits.csv.gz,
 * the test part of the UCI "Optical Recognition of Handwritten Digits", see NOTICE), enlarged to 32x32.
 * Checked against PyTorch's interpolate, bit for bit, in test/unit/data-digits.test.ts.
 */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { DataError } from '../errors.ts'
import { Loader } from './loader.ts'
import { checkOptions, type DatasetOptions, type Split } from './options.ts'
import { type ImageSource, PIXELS, SIZE } from './prepare.ts'

const FILE = new URL('../../data/digits.csv.gz', import.meta.url)

/** Edge of a stored image, number of its pixels, largest grey level, number of classes. */
const EDGE = 8
const CELLS = EDGE * EDGE
const MAX_LEVEL = 16
const CLASSES = 10

/** Grey levels v become v/8 - 1, from -1 (paper) to 1 (ink). */
const HALF_LEVEL = 8
const PAPER = -1

/** Every fifth image, counted from 0, whose index leaves this remainder is a test image. */
const TEST_EVERY = 5
const TEST_REMAINDER = 4
const SIZES: Record<Split, number> = { train: 1438, test: 359 }

/** The grey levels (64 an image, row by row) and the label of each image. */
export interface RawDigits {
  readonly levels: Uint8Array
  readonly labels: Uint8Array
}

/**
 * Reads lines of 64 grey levels 0..16 and a label 0..9, separated by commas. `path` is for messages.
 * @throws DataError naming path, byte offset and what was expected
 */
export function parseDigits(text: string, path: string): RawDigits {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const levels = new Uint8Array(lines.length * CELLS)
  const labels = new Uint8Array(lines.length)
  let offset = 0
  for (const [i, line] of lines.entries()) {
    const fields = line.split(',')
    const at = `in line ${i + 1} (byte offset ${offset}) of ${path}`
    if (fields.length !== CELLS + 1) {
      throw new DataError(`digits: expected ${CELLS + 1} numbers ${at} but received ${fields.length}`)
    }
    for (const [j, field] of fields.entries()) {
      const most = j < CELLS ? MAX_LEVEL : CLASSES - 1
      if (!/^\d{1,2}$/.test(field) || Number(field) > most) {
        throw new DataError(`digits: expected an integer 0..${most} as number ${j + 1} ${at} but received '${field}'`)
      }
      if (j < CELLS) levels[i * CELLS + j] = Number(field)
      else labels[i] = Number(field)
    }
    offset += line.length + 1
  }
  return { levels, labels }
}

/** For each of the 32 positions: the two stored pixels that it lies between, and the weight of the second. */
const POSITIONS = Array.from({ length: SIZE }, (_, i) => {
  const centre = Math.max(0, ((i + 0.5) * EDGE) / SIZE - 0.5)
  const low = Math.floor(centre)
  return { low, high: Math.min(low + 1, EDGE - 1), weight: centre - low }
})

/**
 * Enlarges image `example` to 32x32, bilinear between the centres of pixels (PyTorch's `align_corners=False`), and
 * scales it to -1..1. The weights are multiples of 1/8, so every step is exact.
 */
export function enlargeDigit(levels: Uint8Array, example: number, out: Float32Array, at: number): void {
  const pixel = (row: number, column: number) => levels[example * CELLS + row * EDGE + column] as number
  for (const [y, row] of POSITIONS.entries()) {
    for (const [x, column] of POSITIONS.entries()) {
      const upper = pixel(row.low, column.low) * (1 - column.weight) + pixel(row.low, column.high) * column.weight
      const lower = pixel(row.high, column.low) * (1 - column.weight) + pixel(row.high, column.high) * column.weight
      out[at + y * SIZE + x] = (upper * (1 - row.weight) + lower * row.weight - HALF_LEVEL) / HALF_LEVEL
    }
  }
}

function readDigits(split: Split, examples: number): ImageSource {
  const path = fileURLToPath(FILE)
  let text: string
  try {
    text = gunzipSync(readFileSync(path), { maxOutputLength: 2 ** 20 }).toString('latin1')
  } catch (cause) {
    throw new DataError(`digits: cannot read ${path}, which is part of igcnet: ${(cause as Error).message}`, { cause })
  }
  const raw = parseDigits(text, path)
  const isTest = (i: number) => i % TEST_EVERY === TEST_REMAINDER
  const chosen = Array.from(raw.labels.keys()).filter(i => isTest(i) === (split === 'test'))
  if (chosen.length !== SIZES[split]) {
    throw new DataError(
      `digits: expected ${SIZES[split]} images of the ${split} split in ${path} but received ${chosen.length}`,
    )
  }
  const values = new Float32Array(new SharedArrayBuffer(examples * PIXELS * Float32Array.BYTES_PER_ELEMENT))
  const labels = new Int32Array(new SharedArrayBuffer(examples * Int32Array.BYTES_PER_ELEMENT))
  for (let i = 0; i < examples; i++) {
    const example = chosen[i] as number
    enlargeDigit(raw.levels, example, values, i * PIXELS)
    labels[i] = raw.labels[example] as number
  }
  return { values, labels, stride: PIXELS, start: 0, planes: 1, padValue: PAPER, mirror: false }
}

/** Options of `digits`. */
export type DigitsOptions = DatasetOptions

/**
 * The digits that come with igcnet: images [N, 32, 32, 3] f32 (three equal channels, -1 paper, 1 ink), labels [N] i32.
 * The test split is every fifth image (359), the training split the other 1,438. `augment` moves a digit by up to
 * 4 pixels and never mirrors it; what comes in at the edge is paper.
 * @throws TypeError, RangeError for options that make no sense; DataError if the file of igcnet is damaged
 * @example
 * for await (const { images, labels } of data.digits({ split: 'train', batchSize: 64 })) console.log(images.shape)
 */
export function digits(options: DigitsOptions): Loader {
  const checked = checkOptions('digits', options, SIZES)
  return new Loader({
    name: 'digits',
    plan: checked.plan,
    examples: checked.examples,
    device: checked.device,
    classes: CLASSES,
    classNames: () => Array.from({ length: CLASSES }, (_, i) => String(i)),
    mean: [HALF_LEVEL, HALF_LEVEL, HALF_LEVEL],
    std: [HALF_LEVEL, HALF_LEVEL, HALF_LEVEL],
    open: async () => readDigits(checked.split, checked.examples),
  })
}
