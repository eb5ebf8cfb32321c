/**
 * Density and paths of products of sparse kernels: the papers' claims, counts against a walk over all paths, and the
 * patterns against what the layers themselves let through.
 */
import { describe, expect, it, test } from 'vitest'
import { conv2d, nn, reorder, tensor, theory } from '../../src/index.ts'
import { Igcv2Block } from '../../src/models/igcv2.ts'
import type { Pattern } from '../../src/theory/index.ts'

const { countPaths, density, igcPattern, igcv2Pattern, isComplementary, isDense, patternOf, pointwiseLayers } = theory

/** With L and M exchanged in the two permutations: every shape is right. */
function swapped(L: number, M: number): Pattern {
  return igcPattern(L, M).map(factor =>
    factor.kind === 'reorder' ? { kind: 'reorder', factor: factor.factor === L ? M : L } : factor,
  )
}

describe('IGC(L, M)', () => {
  const shapes = [
    [24, 2],
    [4, 8],
    [2, 2],
    [3, 5],
    [64, 1],
    [1, 23],
  ] as const

  it.each(shapes)('is dense, by exactly one path each: L=%i, M=%i', (L, M) => {
    expect(isDense(igcPattern(L, M))).toBe(true)
    expect(isComplementary(igcPattern(L, M))).toBe(true)
    expect(density(igcPattern(L, M))).toBe(1)
  })

  it.each(shapes.filter(([L, M]) => L !== M && L > 1 && M > 1))('with L and M swapped is not: L=%i, M=%i', (L, M) => {
    expect(isDense(swapped(L, M))).toBe(false)
    expect(isComplementary(swapped(L, M))).toBe(false)
    expect(density(swapped(L, M))).toBeLessThan(1)
    expect(density(swapped(L, M))).toBeGreaterThan(0)
  })

  it('without the permutations is sparse', () => {
    const bare = igcPattern(4, 8).filter(({ kind }) => kind === 'convolution')
    expect(isDense(bare)).toBe(false)
    expect(density(bare)).toBe(1 / 4) // groups of 4 inside of groups of 8
  })
})

describe('IGCV2 with K = 8', () => {
  it.each([48, 64, 96, 128, 192, 256, 416, 512, 832, 1024, 1664])('is dense: C=%i', channels => {
    expect(isDense(igcv2Pattern(channels))).toBe(true)
  })

  it('has exactly one path from every input to every output just where C is a power of K', () => {
    for (const K of [2, 3, 4, 8]) {
      for (let channels = K; channels <= 130; channels += K) {
        const isPower = K ** Math.round(Math.log(channels) / Math.log(K)) === channels
        expect(isComplementary(igcv2Pattern(channels, K)), `C=${channels}, K=${K}`).toBe(isPower)
      }
    }
  })

  it('is sparse with one pointwise layer too few', () => {
    for (const channels of [64, 128, 832]) {
      const short = igcv2Pattern(channels).slice(0, -2)
      expect(isDense(short)).toBe(false)
      expect(density(short)).toBeCloseTo(8 ** (pointwiseLayers(channels, 8) - 1) / channels, 12)
    }
  })

  it('needs ceil(log_K C) pointwise layers', () => {
    expect([8, 9, 64, 65, 512, 513, 2].map(channels => pointwiseLayers(channels, 8))).toEqual([1, 2, 2, 3, 3, 4, 1])
    expect(igcv2Pattern(832).filter(({ kind }) => kind === 'convolution')).toHaveLength(1 + 4)
  })
})

describe('paths', () => {
  const uneven: Pattern = [
    { kind: 'convolution', inChannels: 4, outChannels: 6, groups: 2 },
    { kind: 'reorder', factor: 2 },
    { kind: 'convolution', inChannels: 6, outChannels: 3, groups: 3 },
  ]

  it('are counted as a walk over all of them does', () => {
    const { outChannels, inChannels, counts } = countPaths(uneven)
    expect([outChannels, inChannels]).toEqual([3, 4])
    // The three outputs of each half, one after the other from each: 0 3 | 1 4 | 2 5; the first half sees inputs 0, 1.
    expect([...counts]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    const doubled: Pattern = [...uneven, { kind: 'convolution', inChannels: 3, outChannels: 2, groups: 1 }]
    expect([...countPaths(doubled).counts]).toEqual([3, 3, 3, 3, 3, 3, 3, 3])
    expect(isDense(doubled)).toBe(true)
    expect(isComplementary(doubled)).toBe(false)
  })

  it('are those of the reference ops: kernels full of ones give the number of paths as sums', () => {
    for (const pattern of [igcPattern(3, 4), swapped(3, 4), igcv2Pattern(24, 4), uneven]) {
      const { inChannels, outChannels, counts } = countPaths(pattern)
      const impulses = Float64Array.from({ length: inChannels ** 2 }, (_, i) => (i % (inChannels + 1) === 0 ? 1 : 0))
      let x = tensor(impulses, [inChannels, 1, 1, inChannels], { device: 'reference' })
      for (const factor of pattern) {
        if (factor.kind === 'reorder') {
          x = reorder(x, { factor: factor.factor })
          continue
        }
        const shape = [factor.outChannels, 1, 1, factor.inChannels / factor.groups] as const
        const ones = tensor(new Float64Array(shape[0] * shape[3]).fill(1), shape, { device: 'reference' })
        x = conv2d(x, ones, { groups: factor.groups as number }) as typeof x
      }
      const received = x.dataSync()
      for (let o = 0; o < outChannels; o++) {
        for (let i = 0; i < inChannels; i++) expect(received[i * outChannels + o]).toBe(counts[o * inChannels + i])
      }
    }
  })
})

test('the blocks of the IGCV2 networks have the pattern, the depth and the weights of the paper', () => {
  for (const channels of [64, 128, 256, 416]) {
    const block = new Igcv2Block({ inChannels: channels, outChannels: channels, groupChannels: 8 })
    expect(patternOf(block)).toEqual(igcv2Pattern(channels))
    const depth = pointwiseLayers(channels, 8)
    const weights = Object.entries(block.state()).filter(([name]) => !name.includes('bn.'))
    const counted = weights.reduce((sum, [, { size }]) => sum + size, 0)
    expect(counted).toBe(theory.igcv2Parameters(channels, [1, ...Array<number>(depth).fill(8)]))
  }
})

test('the pattern of real layers', () => {
  const block = new nn.IgcBlock({ inChannels: 12, outChannels: 12, primaryPartitions: 3 })
  expect(patternOf(block)).toEqual(igcPattern(3, 4))
  expect(patternOf(new nn.Conv2d({ inChannels: 4, outChannels: 6, kernel: 3, groups: 2 }))).toEqual([
    { kind: 'convolution', inChannels: 4, outChannels: 6, groups: 2 },
  ])
  // The authors' resnet_igc where the width changes: the second Reorder does not undo the first; dense all the same, by more than one path.
  const quirk = new nn.IgcBlock({ inChannels: 48, outChannels: 96, primaryPartitions: 24, secondaryPartitions: 2 })
  const consistent = new nn.IgcBlock({ inChannels: 48, outChannels: 96, primaryPartitions: 24 })
  expect(isComplementary(patternOf(consistent))).toBe(true)
  expect(isDense(patternOf(quirk))).toBe(true)
  expect(isComplementary(patternOf(quirk))).toBe(false)
  expect(() => patternOf(new nn.ReLU() as never)).toThrow(
    'linearChain: expected a convolution, an IGC layer or an IGCV2 block but received a ReLU',
  )
})

test.each<[string, () => unknown, string]>([
  ['no factor', () => countPaths([]), 'countPaths: expected a convolution as the first factor but received undefined'],
  [
    'channels that do not meet',
    () => countPaths([...igcPattern(2, 2), ...igcPattern(3, 2)]),
    'countPaths: expected a convolution of 4 channels but received 6',
  ],
  [
    'groups that do not divide',
    () => countPaths([{ kind: 'convolution', inChannels: 4, outChannels: 6, groups: 4 }]),
    'countPaths: expected channels divisible by 4 (groups) but received 4 in and 6 out',
  ],
  [
    'a factor that does not divide',
    () => countPaths([...igcPattern(2, 2), { kind: 'reorder', factor: 3 }]),
    'reorderChannels: expected channels divisible by 3 but received 4',
  ],
  [
    'more channels than memory',
    () => countPaths([{ kind: 'convolution', inChannels: 5000, outChannels: 5000, groups: 1 }]),
    'countPaths: expected at most 16777216 pairs of an input and an output but received 5000 x 5000 channels',
  ],
  [
    'a width that K does not divide',
    () => igcv2Pattern(12),
    'igcv2Pattern: expected channels divisible by 8 (K) but received 12',
  ],
  ['a K of 1', () => pointwiseLayers(8, 1), 'pointwiseLayers: expected a K of 2 or more but received 1'],
  [
    'partitions of nothing',
    () => igcPattern(0, 2),
    'igcPattern: expected a whole number of 1 or more for L but received 0',
  ],
])('refuses %s', (_, call, message) => {
  expect(call).toThrow(new RangeError(message))
})
