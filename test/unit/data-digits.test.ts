/**
 * The digits of src/data/digits.ts against PyTorch: the enlarged images bit for bit, the split, and malformed lines.
 *
 * The golden values are printed by, in the root of the repository (PyTorch 2.13):
 *   import gzip, hashlib, torch
 *   rows = [list(map(int, line.split(b','))) for line in gzip.open('data/digits.csv.gz')]
 *   x = torch.tensor([row[:64] for row in rows], dtype=torch.float32).view(-1, 1, 8, 8) / 8 - 1
 *   y = torch.nn.functional.interpolate(x, size=(32, 32), mode='bilinear', align_corners=False)
 *   print(y[0, 0, 6, 5:24].tolist(), y[0, 0, 0, 12:20].tolist(), y[4, 0, 31, 16:28].tolist(), rows[4][64])
 *   print(hashlib.sha256(y.numpy().astype('<f4').tobytes()).hexdigest())
 */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { digits, enlargeDigit, parseDigits } from '../../src/data/digits.ts'
import { DataError } from '../../src/errors.ts'
import { collect, hashOf } from '../support/data-samples.ts'

const text = gunzipSync(readFileSync(new URL('../../data/digits.csv.gz', import.meta.url))).toString()
const raw = parseDigits(text, 'digits.csv.gz')

describe('enlargeDigit', () => {
  const enlarged = new Float32Array(1797 * 1024)
  for (let i = 0; i < 1797; i++) enlargeDigit(raw.levels, i, enlarged, i * 1024)

  it('equals single values of torch', () => {
    const row = (image: number, y: number, from: number, to: number) =>
      Array.from(enlarged.subarray(image * 1024 + y * 32 + from, image * 1024 + y * 32 + to))
    expect(row(0, 6, 5, 24)).toEqual([
      -0.958984375, -0.751953125, -0.349609375, 0.052734375, 0.455078125, 0.658203125, 0.662109375, 0.666015625,
      0.669921875, 0.599609375, 0.455078125, 0.310546875, 0.166015625, 0.18359375, 0.36328125, 0.54296875, 0.72265625,
      0.669921875, 0.384765625,
    ])
    expect(row(0, 0, 12, 20)).toEqual([0.25, 0.5, 0.5625, 0.4375, 0.3125, 0.1875, 0, -0.25])
    expect(row(4, 31, 16, 28)).toEqual([
      0.34375, 0.78125, 0.8125, 0.4375, 0.0625, -0.3125, -0.5625, -0.6875, -0.8125, -0.9375, -1, -1,
    ])
    expect(raw.labels[4]).toBe(4)
  })

  it('equals torch on all 1,797 images, bit for bit', () => {
    expect(createHash('sha256').update(enlarged).digest('hex')).toBe(
      'd64ea37531b10c0a343df99f3dae485f04b8b54779e3b527311bdf8ab64dd776',
    )
  })
})

describe('digits', () => {
  it('has every fifth image in the test split, in order', async () => {
    const loader = digits({ split: 'test', batchSize: 359 })
    const [batch] = await collect(loader.plainBatches())
    const chosen = Array.from({ length: 359 }, (_, i) => 5 * i + 4)
    expect(Array.from(batch?.labels ?? [])).toEqual(chosen.map(i => raw.labels[i]))
    const image = new Float32Array(1024)
    for (const i of [0, 100, 358]) {
      enlargeDigit(raw.levels, chosen[i] as number, image, 0)
      const threeChannels = Array.from(image).flatMap(value => [value, value, value])
      expect(Array.from(batch?.images.subarray(i * 3072, (i + 1) * 3072) ?? [])).toEqual(threeChannels)
    }
    await loader.close()
  })

  it('has the others in the training split', async () => {
    await using loader = digits({ split: 'train', batchSize: 100, shuffle: false, dropLast: false })
    expect(loader).toMatchObject({ name: 'digits', examples: 1438, batchesPerEpoch: 15, classes: 10, mean: [8, 8, 8] })
    expect(loader.classNames?.[3]).toBe('3')
    const batches = await collect(loader.plainBatches())
    expect(batches.map(batch => batch.count)).toEqual([...Array(14).fill(100), 38])
    const labels = batches.flatMap(batch => Array.from(batch.labels))
    expect(labels).toEqual(Array.from(raw.labels).filter((_, i) => i % 5 !== 4))
  })

  it('moves digits on paper when augmented, and never mirrors', async () => {
    await using plain = digits({ split: 'test', batchSize: 359 })
    await using moved = digits({ split: 'test', batchSize: 359, augment: true })
    const [before] = await collect(plain.plainBatches())
    const [after] = await collect(moved.plainBatches())
    expect(hashOf(after?.images ?? new Float32Array())).not.toBe(hashOf(before?.images ?? new Float32Array()))
    expect(Math.min(...(after?.images.subarray(0, 3072) ?? []))).toBe(-1)
  })
})

describe('parseDigits', () => {
  const good = `${Array(64).fill(16).join()},9`

  it('reads a line', () => {
    expect(parseDigits(`${good}\n`, 'file').labels).toEqual(Uint8Array.of(9))
  })

  it.each([
    ['1,2', 'digits: expected 65 numbers in line 2 (byte offset 194) of file but received 2'],
    [
      good.replace('16', '17'),
      "digits: expected an integer 0..16 as number 1 in line 2 (byte offset 194) of file but received '17'",
    ],
    [
      good.replace(/9$/, '10'),
      "digits: expected an integer 0..9 as number 65 in line 2 (byte offset 194) of file but received '10'",
    ],
    [
      good.replace('16', '-1'),
      "digits: expected an integer 0..16 as number 1 in line 2 (byte offset 194) of file but received '-1'",
    ],
  ])('refuses %s', (line, message) => {
    expect(() => parseDigits(`${good}\n${line}\n`, 'file')).toThrow(new DataError(message))
  })
})
