/**
 * Parameters and multiply-adds of every network of the papers' tables. The numbers are those of the papers and of the
 * authors' scripts; test/golden/counts.json has them from PyTorch twins, too, and both must agree.
 */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { setThreads } from '../../src/device.ts'
import { create, type NamedOptions, type Network, type NetworkName } from '../../src/models/index.ts'
import { summarize } from '../../src/train/summary.ts'

setThreads(1)

let net: Network | undefined
afterEach(() => net?.dispose())

function counts(name: NetworkName, options: NamedOptions) {
  net = create(name, options)
  return summarize(net)
}

/** W<c> is a regular network of width c, here as L*M = c*1. */
const PARTITIONS = { W16: [16, 1], W18: [18, 1], L4M8: [4, 8], L24M2: [24, 2] } as const
type Width = keyof typeof PARTITIONS

function optionsOf(width: Width, depth: number, classes: number): NamedOptions {
  const [primaryPartitions, secondaryPartitions] = PARTITIONS[width]
  return { depth, classes, primaryPartitions, secondaryPartitions }
}

/** Depth, width, convolutions, batch norm, linear for 10 classes, total for 10 classes, millions of multiply-adds. */
const PLAIN: [number, Width, number, number, number, number, string][] = [
  [8, 'W16', 74_160, 480, 650, 75_290, '12.24'],
  [8, 'W18', 93_798, 540, 730, 95_068, '15.43'],
  [8, 'L4M8', 76_384, 960, 1_290, 78_634, '13.14'],
  [8, 'L24M2', 45_072, 1_440, 1_930, 48_442, '9.88'],
  [20, 'W16', 267_696, 1_376, 650, 269_722, '40.55'],
  [20, 'W18', 338_742, 1_548, 730, 341_020, '51.26'],
  [20, 'L4M8', 273_504, 2_752, 1_290, 277_546, '42.37'],
  [20, 'L24M2', 149_904, 4_128, 1_930, 155_962, '28.76'],
  [38, 'W16', 558_000, 2_720, 650, 561_370, '83.02'],
  [38, 'W18', 706_158, 3_060, 730, 709_948, '105.01'],
  [38, 'L4M8', 569_184, 5_440, 1_290, 575_914, '86.21'],
  [38, 'L24M2', 307_152, 8_160, 1_930, 317_242, '57.07'],
  [62, 'W16', 945_072, 4_512, 650, 950_234, '139.64'],
  [62, 'W18', 1_196_046, 5_076, 730, 1_201_852, '176.67'],
  [62, 'L4M8', 963_424, 9_024, 1_290, 973_738, '144.67'],
  [62, 'L24M2', 516_816, 13_536, 1_930, 532_282, '94.82'],
]

const LINEAR_100: Record<Width, number> = { W16: 6_500, W18: 7_300, L4M8: 12_900, L24M2: 19_300 }

describe.each(PLAIN)('plain, depth %i, %s', (depth, width, conv, bn, linear, total, millions) => {
  const name = width.startsWith('W') ? 'plain' : 'plain_igc'

  test('10 classes', () => {
    const found = counts(name, optionsOf(width, depth, 10))
    expect(found).toMatchObject({ convParameters: conv, bnParameters: bn, linearParameters: linear, parameters: total })
    expect((found.macs / 1e6).toFixed(2)).toBe(millions)
  })

  test('100 classes', () => {
    const found = counts(name, optionsOf(width, depth, 100))
    expect(found).toMatchObject({ convParameters: conv, bnParameters: bn, linearParameters: LINEAR_100[width] })
    expect(found.parameters).toBe(total - linear + LINEAR_100[width])
  })
})

type Pair = [ten: number, hundred: number]

/** Depth; totals for 10 and 100 classes of W16, W18, L4M8 and L24M2 as the authors', L24M2 consistent. */
const RESIDUAL: [number, Pair, Pair, Pair, Pair, Pair][] = [
  [8, [78_042, 83_892], [98_524, 105_094], [82_346, 93_956], [56_890, 74_260], [49_978, 67_348]],
  [20, [272_474, 278_324], [344_476, 351_046], [281_258, 292_868], [164_410, 181_780], [157_498, 174_868]],
  [38, [564_122, 569_972], [713_404, 719_974], [579_626, 591_236], [325_690, 343_060], [318_778, 336_148]],
  [50, [758_554, 764_404], [959_356, 965_926], [778_538, 790_148], [433_210, 450_580], [426_298, 443_668]],
  [62, [952_986, 958_836], [1_205_308, 1_211_878], [977_450, 989_060], [540_730, 558_100], [533_818, 551_188]],
]

describe.each(RESIDUAL)('residual, depth %i', (depth, ...totals) => {
  const columns: [NetworkName, Width, boolean][] = [
    ['resnet', 'W16', false],
    ['resnet', 'W18', false],
    ['resnet_igc', 'L4M8', false],
    ['resnet_igc', 'L24M2', false],
    ['resnet_igc', 'L24M2', true],
  ]
  test.each(columns.map((column, i) => [...column, totals[i] as Pair] as const))(
    '%s %s, consistent: %s',
    (name, width, consistent, expected) => {
      const found = [10, 100].map(classes => {
        const summary = counts(name, { ...optionsOf(width, depth, classes), consistent })
        const { parameters, convParameters, bnParameters, linearParameters } = summary
        expect(convParameters + bnParameters + linearParameters).toBe(parameters)
        net?.dispose()
        return parameters
      })
      expect(found).toEqual(expected)
    },
  )
})

test('the golden counts hold the same rows', () => {
  const golden = JSON.parse(readFileSync(new URL('../golden/counts.json', import.meta.url), 'utf8')) as {
    network: string
    parameters: number
  }[]
  const sorted = (values: number[]) => values.sort((a, b) => a - b)
  const totals = (prefix: string) =>
    sorted(golden.filter(row => row.network.startsWith(prefix)).map(row => row.parameters))
  const plain = PLAIN.flatMap(([, width, , , linear, total]) => [total, total - linear + LINEAR_100[width]])
  expect(totals('plain')).toEqual(sorted(plain))
  expect(totals('resnet')).toEqual(sorted(RESIDUAL.flatMap(([, ...pairs]) => pairs.flat())))
})
