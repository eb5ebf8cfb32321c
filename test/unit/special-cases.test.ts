/**
 * The special cases of IGC (Zhang et al. 2017, section 3.3) as equalities, in f64: outputs equal to rounding.
 */
import { expect, it } from 'vitest'
import {
  add,
  conv2d,
  Generator,
  igcBlock,
  models,
  nn,
  noGrad,
  ones,
  reorder,
  type Tensor,
  tensor,
} from '../../src/index.ts'
import { relativeError } from '../../src/train/benchmark.ts'

const place = { dtype: 'f64', device: 'reference' } as const
const options = { stride: 1, padding: 1 }
const normal = (shape: readonly [number, number, number, number], seed: number) =>
  new Generator(seed).normal(shape, place)
type Maps = Tensor<readonly [number, number, number, number], 'f64'>

function expectEqual(actual: Tensor, expected: Tensor) {
  expect(actual.shape).toEqual(expected.shape)
  expect(Math.max(...expected.dataSync().map(Math.abs))).toBeGreaterThan(0.1)
  expect(relativeError(actual.dataSync(), expected.dataSync())).toBeLessThan(1e-12)
}

it('IGC with L = 1 is a regular convolution, then a scale of every channel', () => {
  const [x, primary, secondary] = [normal([2, 6, 5, 4], 1), normal([4, 3, 3, 4], 2), normal([4, 1, 1, 1], 3)]
  const y = igcBlock(x, primary, secondary, { ...options, primaryPartitions: 1, secondaryPartitions: 4 })
  const scale = secondary.dataSync()
  const regular = conv2d(x, primary, options)
  expectEqual(
    y,
    tensor(
      regular.dataSync().map((value, i) => value * (scale[i % 4] as number)),
      regular.shape,
      place,
    ),
  )
})

it('IGC with M = 1 is channel-wise, then pointwise: Xception', () => {
  const [x, primary, secondary] = [normal([2, 6, 5, 8], 1), normal([8, 3, 3, 1], 2), normal([8, 1, 1, 8], 3)]
  const y = igcBlock(x, primary, secondary, { ...options, primaryPartitions: 8, secondaryPartitions: 1 })
  expectEqual(y, conv2d(conv2d(x, primary, { ...options, groups: 8 }), secondary))
})

it('an Xception block that widens is channel-wise, too, then pointwise with its in-channels in another order', () => {
  const block = new nn.InterleavedGroupConv2d({
    ...{ inChannels: 4, outChannels: 8, primaryPartitions: 4, secondaryPartitions: 1, stride: 2 },
    ...place,
  })
  const x = normal([2, 6, 6, 4], 1)
  const spatial = conv2d(x as never, block.primary.weight as never, { stride: 2, padding: 1, groups: 4 }) as Maps
  expectEqual(block.forward(x), conv2d(reorder(spatial, { factor: 4 }) as never, block.secondary.weight as never))
})

it('SumFusion is IGC whose secondary weights are 1: the sum over the partitions', () => {
  const [L, M, x, primary] = [3, 4, normal([2, 6, 5, 12], 1), normal([12, 3, 3, 4], 2)]
  const partitions = { primaryPartitions: L, secondaryPartitions: M }
  const y = igcBlock(x, primary, ones([12, 1, 1, 3], place), { ...options, ...partitions })
  const z = conv2d(x, primary, { ...options, groups: 3 }).dataSync()
  const sums = z.map((_, i) => {
    const [pixel, m] = [i - (i % 12), (i % 12) % M]
    return Array.from({ length: L }, (_, l) => z[pixel + l * M + m] as number).reduce((a, b) => a + b)
  })
  expectEqual(y, tensor(sums, y.shape, place))
})

it('the SumFusion network is plain_igc with all secondary weights 1', () => {
  const sizes = { depth: 5, primaryPartitions: 2, secondaryPartitions: 4, ...place }
  const fusion = models.sumfusion({ ...sizes, seed: 5 })
  const igc = models.plainIgc({ ...sizes, seed: 6 })
  igc.loadState(fusion.state())
  const secondary = Object.entries(igc.state()).filter(([name]) => name.endsWith('secondary.weight'))
  expect(secondary.length).toBe(3)
  for (const [, weight] of secondary) expect(new Set(weight.dataSync())).toEqual(new Set([1]))
  const x = normal([2, 8, 8, 3], 7)
  for (const training of [true, false]) {
    const [actual, expected] = [fusion, igc].map(net => noGrad(() => net.train(training).forward(x)))
    expectEqual(actual as Tensor, expected as Tensor)
  }
  expect(fusion.namedParameters().some(([name]) => name.includes('secondary'))).toBe(false)
})

it('a regular convolution is its four-branch form: IGC with L = M = 2 on twice the width and fixed secondary weights', () => {
  // Halves of the in-channels a and b, of the out-channels 1 and 2; four branches a1, b1, a2, b2 with convolutions of
  // their own. Cross-summation: y1 = a1 + b1, y2 = a2 + b2. As an IGC block with two primary partitions (of a and of b)
  // that make two out-channel sets each, and secondary weights 1: each partition receives both sums.
  const half = 3
  const [x, w] = [normal([2, 6, 5, 2 * half], 1), normal([2 * half, 3, 3, 2 * half], 2)]
  const regular = conv2d(x, w, options)
  // Primary: partition l reads half l of x and makes all 2*half outputs, so L = 2 and M = 2*half outputs a partition.
  const values = w.dataSync()
  const branches = Array.from({ length: 2 }, (_, l) =>
    Array.from({ length: 2 * half * 9 }, (_, i) =>
      Array.from(values.subarray(i * 2 * half + l * half, i * 2 * half + (l + 1) * half)),
    ),
  ).flat(2)
  const primary = tensor(Float64Array.from(branches), [4 * half, 3, 3, half], place)
  const y = igcBlock(x, primary, ones([4 * half, 1, 1, 2], place), {
    ...options,
    primaryPartitions: 2,
    secondaryPartitions: 2 * half,
  })
  const both = y.dataSync()
  const first = Float64Array.from({ length: regular.size }, (_, i) => {
    return both[Math.floor(i / (2 * half)) * 4 * half + (i % (2 * half))] as number
  })
  const second = Float64Array.from({ length: regular.size }, (_, i) => {
    return both[Math.floor(i / (2 * half)) * 4 * half + 2 * half + (i % (2 * half))] as number
  })
  expectEqual(tensor(first, regular.shape, place), regular)
  expect(second).toEqual(first)
  // And as four convolutions: the cross-summation by hand.
  const slice = (l: number, k: number) => {
    const part = Array.from({ length: half * 9 }, (_, i) => {
      const row = (k * half * 9 + i) * 2 * half + l * half
      return Array.from(values.subarray(row, row + half))
    })
    return tensor(Float64Array.from(part.flat()), [half, 3, 3, half], place)
  }
  const channels = (t: Tensor, from: number) => {
    const [n = 0, h = 0, q = 0, c = 0] = t.shape
    const data = Float64Array.from({ length: n * h * q * half }, (_, i) => {
      return t.dataSync()[Math.floor(i / half) * c + from + (i % half)] as number
    })
    return tensor(data, [n, h, q, half] as const, place)
  }
  for (const k of [0, 1]) {
    const branch = (l: number) => conv2d(channels(x, l * half), slice(l, k), options)
    expectEqual(add(branch(0), branch(1)), channels(regular, k * half))
  }
})
