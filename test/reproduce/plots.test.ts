/** The plots of the studies: dots are at their place, ranges hold their values, and nothing is drawn that is no number. */
import { describe, expect, it, test } from 'vitest'
import { accuracyRange } from '../../src/reproduce/accuracy-range.ts'
import { drawComparison } from '../../src/reproduce/compare.ts'
import { drawPartitions, type PartitionRow } from '../../src/reproduce/partitions.ts'
import type { MemberResult } from '../../src/reproduce/study.ts'
import { escapeText } from '../../src/train/chart.ts'

function result(over: Partial<MemberResult> = {}): MemberResult {
  const losses = { testLoss: 1, trainLoss: 1, trainMsPerImage: 2, seconds: 3 }
  return {
    id: 'a',
    title: 'a',
    parameters: 1e6,
    multiplyAdds: 2e6,
    epochs: 1,
    testTop1: 50,
    bestTop1: 60,
    ...losses,
    ...over,
  }
}

const shape = (L: number, M: number, over: Partial<MemberResult>): PartitionRow => ({
  ...{ primaryPartitions: L, secondaryPartitions: M, width: L * M, blockParameters: 4672 },
  ...result(over),
})

const circles = (svg: string, colour: string) =>
  [...svg.matchAll(/<circle cx="([^"]*)" cy="([^"]*)" r="[^"]*" fill="([^"]*)"/g)]
    .filter(([, , , fill]) => fill === colour)
    .map(([, x, y]) => [Number(x), Number(y)] as const)

const LAST = '#0072b2'
const BEST = '#d55e00'

test('partitions: a dot for every shape, in the order of the rows, higher where the accuracy is', () => {
  const rows = [
    shape(64, 1, { testTop1: 10, bestTop1: 20 }),
    shape(40, 2, { testTop1: 30, bestTop1: 30 }),
    shape(1, 23, { testTop1: 20, bestTop1: 20 }),
  ]
  const svg = drawPartitions(rows, 'A <title> & more')
  const last = circles(svg, LAST)
  expect(last).toHaveLength(3)
  const [[x1, y1], [x2, y2], [x3, y3]] = last as [
    readonly [number, number],
    readonly [number, number],
    readonly [number, number],
  ]
  expect(x2 - x1).toBeCloseTo(x3 - x2, 1)
  expect(y1).toBeGreaterThan(y3)
  expect(y3).toBeGreaterThan(y2)
  expect(y3 - y2).toBeCloseTo(y1 - y3, 1)
  expect(circles(svg, BEST).map(([, y]) => y)).toEqual([y3, y2, y3])
  for (const label of ['64, 1', '40, 2', '1, 23', '>80<', 'A &lt;title&gt; &amp; more', 'best epoch'])
    expect(svg).toContain(label)
})

test('compare: three panels, the zero of their axes at the left, the largest value inside', () => {
  const rows = [
    result({ title: 'plain', testTop1: 40, parameters: 1e6, multiplyAdds: 40e6, trainMsPerImage: 4 }),
    result({ title: 'plain_igc', testTop1: 44, parameters: 5e5, multiplyAdds: 20e6, trainMsPerImage: 1 }),
  ]
  const svg = drawComparison(rows, 'Networks compared')
  const [a, b] = [circles(svg, LAST), circles(svg, BEST)]
  expect([a.length, b.length]).toEqual([4, 4]) // three panels and the key
  for (const [panel, share] of [0.5, 0.5, 0.25].entries()) {
    const [[xa, ya], [xb, yb]] = [a[panel], b[panel]] as [readonly [number, number], readonly [number, number]]
    expect(xb / xa).toBeCloseTo(share, 2)
    expect(xa).toBeLessThanOrEqual(280)
    expect(yb).toBeLessThan(ya)
  }
  for (const label of ['A  plain<', 'B  plain_igc<', 'parameters, millions', 'training, ms an image'])
    expect(svg).toContain(label)
})

test('nothing, one, and values that are no numbers', () => {
  const odd = { testTop1: Number.NaN, bestTop1: Number.NaN, trainMsPerImage: Number.NaN }
  for (const rows of [[], [shape(2, 2, {})], [shape(2, 2, odd), shape(3, 1, {})]]) {
    for (const svg of [drawPartitions(rows, 'x'), drawComparison(rows, 'x')]) {
      expect(svg).not.toMatch(/NaN|Infinity|undefined/)
      expect(svg.trimEnd()).toMatch(/^<svg [\s\S]*<\/svg>$/)
    }
  }
})

describe('the range of accuracies', () => {
  it.each([
    [[], [0, 100]],
    [[Number.NaN], [0, 100]],
    [
      [40, 60],
      [40, 60],
    ],
    [[50], [49, 51]],
    [[100], [98, 100]],
    [
      [0, 0.5],
      [0, 2],
    ],
    [
      [99.9, 100],
      [98, 100],
    ],
  ])('of %j is %j', (values, expected) => {
    const [low, high] = accuracyRange(values)
    expect(low).toBeCloseTo(expected[0] as number, 9)
    expect(high).toBeCloseTo(expected[1] as number, 9)
    for (const value of values.filter(Number.isFinite)) {
      expect(low).toBeLessThanOrEqual(value)
      expect(high).toBeGreaterThanOrEqual(value)
    }
  })
})

test('text of elements is escaped', () => {
  expect(escapeText('a < b & c > d')).toBe('a &lt; b &amp; c &gt; d')
})
