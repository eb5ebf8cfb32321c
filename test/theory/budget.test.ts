/** The papers' formulas of weights and width: against their tables, against real layers, and against a search. */
import { describe, expect, it, test } from 'vitest'
import { nn, theory } from '../../src/index.ts'

const { igcParameters, igcv2Parameters, partitionsFor, widestFor } = theory

describe('igcParameters', () => {
  it.each([
    [24, 2],
    [4, 8],
    [64, 1],
    [1, 23],
    [3, 5],
  ])('is the number of weights of the layer: L=%i, M=%i', (L, M) => {
    const channels = L * M
    const layer = new nn.InterleavedGroupConv2d({ inChannels: channels, outChannels: channels, primaryPartitions: L })
    const weights = layer.parameters().reduce((sum, { size }) => sum + size, 0)
    expect(igcParameters(L, M)).toBe(weights)
  })

  it('is G² (S / L + 1 / M), and S C² + C at L = 1: a regular convolution and a scale', () => {
    expect(igcParameters(6, 4, 25)).toBeCloseTo((6 * 4) ** 2 * (25 / 6 + 1 / 4), 9)
    expect(igcParameters(1, 16)).toBe(9 * 16 ** 2 + 16)
    expect(igcParameters(16, 1)).toBe(9 * 16 + 16 ** 2)
  })

  it('is wider than a regular convolution of the same weights just when L / (L - 1) < M S', () => {
    for (let L = 1; L <= 12; L++) {
      for (let M = 1; M <= 12; M++) {
        for (const S of [1, 2, 9]) {
          const regularWidth = Math.sqrt(igcParameters(L, M, S) / S)
          // Products, not quotients, so that equality is seen exactly; at L = 1 the left side is infinite.
          expect(L * M > regularWidth + 1e-9, `L=${L}, M=${M}, S=${S}`).toBe(L < M * S * (L - 1))
        }
      }
    }
  })

  it('refuses what is no whole number of 1 or more', () => {
    expect(() => igcParameters(0, 2)).toThrow(
      new RangeError('igcParameters: expected a whole number of 1 or more for L but received 0'),
    )
    expect(() => igcParameters(2, 1.5)).toThrow('for M but received 1.5')
    expect(() => igcParameters(2, 2, Number.NaN)).toThrow('for S but received NaN')
  })
})

describe('widestFor', () => {
  it('is reached at L = M S', () => {
    const { width, primaryPartitions, secondaryPartitions } = widestFor(igcParameters(18, 2))
    expect([width, primaryPartitions, secondaryPartitions].map(value => Number(value.toFixed(9)))).toEqual([36, 18, 2])
  })

  it('no shape of the same or fewer weights is wider', () => {
    const budget = 4672
    const { width } = widestFor(budget)
    let widest = 0
    for (let M = 1; M <= 30; M++) {
      for (let L = 1; L <= 70; L++) if (igcParameters(L, M) <= budget) widest = Math.max(widest, L * M)
    }
    expect(widest).toBeLessThanOrEqual(width)
    expect(widest).toBeGreaterThan(0.95 * width)
  })

  it('refuses what is no budget', () => {
    expect(() => widestFor(0)).toThrow(
      new RangeError('widestFor: expected a finite number above 0 for budget but received 0'),
    )
    expect(() => widestFor(Number.POSITIVE_INFINITY)).toThrow('for budget but received Infinity')
    expect(() => widestFor(1, 0)).toThrow('for S but received 0')
  })
})

describe('partitionsFor', () => {
  it('gives the grid of the partition study', () => {
    const grid = partitionsFor(4672).map(({ primaryPartitions: L, secondaryPartitions: M }) => [L, M])
    expect(grid).toEqual([
      [64, 1],
      [40, 2],
      [28, 3],
      [21, 4],
      [12, 6],
      [9, 7],
      [6, 9],
      [5, 10],
      [3, 13],
      [2, 16],
      [1, 23],
    ])
  })

  it('every member is the nearest of its M, within the tolerance, with its numbers', () => {
    for (const budget of [100, 1234, 50_000]) {
      for (const { primaryPartitions: L, secondaryPartitions: M, ...numbers } of partitionsFor(budget, {
        tolerance: 0.1,
      })) {
        const off = (candidate: number) => Math.abs(igcParameters(candidate, M) - budget)
        expect(numbers).toEqual({ width: L * M, parameters: igcParameters(L, M) })
        expect(off(L)).toBeLessThanOrEqual(0.1 * budget)
        for (const other of [L - 1, L + 1]) if (other >= 1) expect(off(L)).toBeLessThanOrEqual(off(other))
      }
    }
  })

  it('leaves nothing out that is within the tolerance', () => {
    const found = partitionsFor(4672, { tolerance: 0.2 }).map(({ secondaryPartitions }) => secondaryPartitions)
    const expected: number[] = []
    for (let M = 1; M <= 40; M++) {
      const within = Array.from({ length: 80 }, (_, i) => Math.abs(igcParameters(i + 1, M) - 4672) <= 0.2 * 4672)
      if (within.includes(true)) expected.push(M)
    }
    expect(found).toEqual(expected)
  })

  it('refuses what is no budget or tolerance', () => {
    expect(() => partitionsFor(-1)).toThrow(
      new RangeError(
        'partitionsFor: expected a finite number above 0 and up to 1000000000000 for budget but received -1',
      ),
    )
    expect(() => partitionsFor(1e13)).toThrow('but received 10000000000000')
    expect(() => partitionsFor(100, { tolerance: 1 })).toThrow(
      new RangeError('partitionsFor: expected a tolerance from 0 to below 1 but received 1'),
    )
  })
})

test('igcv2Parameters: the blocks of the networks, and the balanced optimum', () => {
  const block = (channels: number, pointwise: number) => igcv2Parameters(channels, [1, ...Array(pointwise).fill(8)])
  expect([block(64, 2), block(128, 3), block(256, 3), block(416, 3), block(832, 4)]).toEqual([
    1600, 4224, 8448, 13_728, 34_112,
  ])
  // C L (S C)^(1/L) is the least of L layers, reached where S K_1 = K_2 = … (here 3 = 3 * 1, C = 9 with S = 3).
  const bound = (channels: number, layers: number, S: number) => channels * layers * (S * channels) ** (1 / layers)
  expect(igcv2Parameters(9, [1, 3, 3], 3)).toBeCloseTo(bound(9, 3, 3), 9)
  expect(igcv2Parameters(9, [3, 3], 3)).toBeGreaterThan(bound(9, 2, 3))
  expect(() => igcv2Parameters(8, [1, 0])).toThrow(
    new RangeError('igcv2Parameters: expected a whole number of 1 or more for widths[1] but received 0'),
  )
})
