/** The parsers of option values: what they take, and the literal text of what they refuse. */
import { expect, test } from 'vitest'
import { nearest } from '../../src/cli/failure.ts'
import { DATASETS, DEVICES, NETWORKS } from '../../src/cli/names.ts'
import { formatTable, withCommas } from '../../src/cli/table.ts'
import { epochList, oneOf, path, realNumber, wholeNumber } from '../../src/cli/values.ts'
import { networks } from '../../src/models/index.ts'
import { type DatasetName, withDefaults } from '../../src/train/index.ts'

test('whole numbers', () => {
  const parse = wholeNumber('--depth', 1, 10_000)
  expect(['1', '20', '007', '10000'].map(parse)).toEqual([1, 20, 7, 10_000])
  for (const text of [
    '',
    ' ',
    '0',
    '-1',
    '+5',
    '10001',
    '20x',
    'x20',
    '0.5',
    '1e3',
    '1e9',
    '0x10',
    'NaN',
    'Infinity',
    ' 5',
  ]) {
    const received = JSON.stringify(text)
    expect(() => parse(text)).toThrow(`--depth: expected a whole number from 1 to 10000 but received ${received}`)
  }
  expect(wholeNumber('--rand-seed', 0)('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER)
  expect(() => wholeNumber('--rand-seed', 0)('9007199254740992')).toThrow(
    '--rand-seed: expected a whole number of 0 or more but received "9007199254740992"',
  )
})

test('real numbers', () => {
  const rate = realNumber('--lr', { above: 0, most: 1000 })
  expect(['0.1', '.5', '1.', '1e-4', '+2', '1000'].map(rate)).toEqual([0.1, 0.5, 1, 1e-4, 2, 1000])
  for (const text of [
    '',
    '0',
    '-1',
    '1000.1',
    '1e9',
    '1e999',
    'NaN',
    'Infinity',
    '0,1',
    '0.1.2',
    '1e',
    '0x1',
    '0.1 ',
  ]) {
    const received = JSON.stringify(text)
    expect(() => rate(text)).toThrow(`--lr: expected a number above 0 and up to 1000 but received ${received}`)
  }
  const share = realNumber('--momentum', { least: 0, below: 1 })
  expect(['0', '0.999'].map(share)).toEqual([0, 0.999])
  expect(() => share('1')).toThrow('--momentum: expected a number of 0 or more and below 1 but received "1"')
})

test('lists of epochs', () => {
  const parse = epochList('--lr-steps')
  expect(parse('200,300, 350')).toEqual([200, 300, 350])
  expect(parse('7')).toEqual([7])
  expect(parse('none')).toEqual([])
  for (const text of ['', ',', '5,', '5,5', '6,5', '0', '-1', '1.5', '1e2', 'a', '1;2']) {
    expect(() => parse(text)).toThrow('--lr-steps: expected rising whole numbers of 1 or more separated by commas')
  }
})

test('names and paths', () => {
  const parse = oneOf('network', NETWORKS)
  expect(parse('plain_igc')).toBe('plain_igc')
  expect(() => parse('plain_icg')).toThrow('unknown network "plain_icg": did you mean plain_igc?')
  expect(() => parse('')).toThrow(
    'unknown network "": expected one of plain, plain_igc, resnet, resnet_igc, sumfusion, ',
  )
  expect(() => oneOf('device', DEVICES, { gpu: 'cuda' })('GPU')).toThrow('unknown device "GPU": did you mean cuda?')
  expect(path('--run-dir')('a b')).toBe('a b')
  expect(() => path('--run-dir')('')).toThrow('--run-dir: expected a path but received ""')
  expect(() => path('--run-dir')('--json')).toThrow(
    '--run-dir: expected a path (./--json is one) but received "--json"',
  )
  expect(() => path('--run-dir')('a\0b')).toThrow('--run-dir: expected a path')
})

test.each([
  ['plain_icg', NETWORKS, 'plain_igc'],
  ['plainigc', NETWORKS, 'plain_igc'],
  ['resnt', NETWORKS, 'resnet'],
  ['RESNET', NETWORKS, 'resnet'],
  ['cifar', DATASETS, 'cifar10'],
  ['CIFAR-100', DATASETS, 'cifar100'],
  ['digit', DATASETS, 'digits'],
  ['epochs', ['--num-epochs', '--lr'], '--num-epochs'],
  ['imagenet-22k', DATASETS, undefined],
  ['x', DEVICES, undefined],
  ['', DEVICES, undefined],
])('the nearest name to %j', (word, names, meant) => {
  expect(nearest(word, names)).toBe(meant)
})

test("the names are the library's", () => {
  expect(NETWORKS).toEqual(Object.keys(networks))
  const all: Record<DatasetName, true> = { digits: true, cifar10: true, cifar100: true, folder: true }
  expect([...DATASETS].sort()).toEqual(Object.keys(all).sort())
  for (const dataset of DATASETS) expect(withDefaults({ dataset, numClasses: 100 }).dataset).toBe(dataset)
})

test('tables', () => {
  expect(withCommas(1_234_567)).toBe('1,234,567')
  const table = formatTable(
    ['name', 'n'],
    [
      ['a', '10'],
      ['longer', '5'],
    ],
    [false, true],
  )
  expect(table).toBe('name     n\n------  --\na       10\nlonger   5\n')
})
