/** Layers: their defaults, shapes, counts and errors, and that each equals the ops that it is made of. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  avgPool2d,
  batchNorm2d,
  conv2d,
  Generator,
  type Images,
  linear,
  maxPool2d,
  nn,
  noGrad,
  ones,
  relu,
  reorder,
  type Tensor,
  zeros,
} from '../../src/index.ts'
import { native } from '../../src/native.ts'

const place = { dtype: 'f64', device: 'reference' } as const
const random = <const S extends readonly number[]>(shape: S, seed = 1) => new Generator(seed).normal(shape, place)
const values = (x: Tensor) => Array.from(x.dataSync())

/** Compares with an error of a few roundings. */
function expectClose(received: Tensor, expected: Tensor): void {
  expect(received.shape).toEqual(expected.shape)
  const truth = values(expected)
  expect(Math.max(...truth.map(Math.abs))).toBeGreaterThan(0.1)
  const errors = values(received).map((value, i) => Math.abs(value - (truth[i] as number)))
  expect(Math.max(...errors)).toBeLessThan(1e-13)
}

describe('Conv2d', () => {
  it('has defaults', () => {
    const layer = new nn.Conv2d({ inChannels: 4, outChannels: 6, kernel: 3 })
    expect([layer.stride, layer.padding, layer.groups]).toEqual([1, 0, 1])
    expect([layer.weight.shape, layer.weight.requiresGrad]).toEqual([[6, 3, 3, 4], true])
    expect(String(layer.weight)).toBe('Tensor [6, 3, 3, 4] f32 on cpu')
  })

  it('is conv2d with its weight and options', () => {
    const options = { inChannels: 4, outChannels: 6, kernel: 3, stride: 2, padding: 1, groups: 2 }
    const layer = new nn.Conv2d({ ...options, ...place })
    const x = random([2, 7, 6, 4])
    const expected = conv2d(x, layer.weight, { stride: 2, padding: 1, groups: 2 })
    expect(expected.shape).toEqual([2, 4, 3, 6])
    expect(values(layer.forward(x))).toEqual(values(expected))
  })

  it('counts multiply-adds', () => {
    const layer = new nn.Conv2d({ inChannels: 4, outChannels: 6, kernel: 3, groups: 2 })
    expect(layer.multiplyAdds([2, 5, 7, 6])).toBe(2 * 5 * 7 * 6 * 3 * 3 * 2)
  })

  const sizes = { inChannels: 4, outChannels: 6, kernel: 3 }
  it.each([
    [{ groups: 4 }, 'Conv2d: expected channels divisible by 4 (groups) but received 4 in and 6 out'],
    [{ groups: 3 }, 'Conv2d: expected channels divisible by 3 (groups) but received 4 in and 6 out'],
    [{ groups: 0 }, 'Conv2d: expected a whole number of 1 or more for groups but received 0'],
    [{ groups: 0.5 }, 'Conv2d: expected a whole number of 1 or more for groups but received 0.5'],
    [{ groups: -2 }, 'Conv2d: expected a whole number of 1 or more for groups but received -2'],
    [{ groups: Number.NaN }, 'Conv2d: expected a whole number of 1 or more for groups but received NaN'],
    [{ kernel: 0 }, 'Conv2d: expected a whole number of 1 or more for kernel but received 0'],
    [{ stride: 0 }, 'Conv2d: expected a whole number of 1 or more for stride but received 0'],
    [{ padding: -1 }, 'Conv2d: expected a whole number of 0 or more for padding but received -1'],
    [{ inChannels: 0 }, 'Conv2d: expected a whole number of 1 or more for inChannels but received 0'],
    [{ outChannels: 2.5 }, 'Conv2d: expected a whole number of 1 or more for outChannels but received 2.5'],
  ])('refuses %o', (change, message) => {
    expect(() => new nn.Conv2d({ ...sizes, ...change })).toThrow(
      expect.objectContaining({ name: 'ShapeError', message }),
    )
  })

  it.each<[string, Images, string]>([
    [
      'channels',
      zeros([1, 5, 5, 3]),
      'conv2d: expected w [K, R, S, 3] (C / groups = 3 / 1) but received w [6, 3, 3, 4]',
    ],
    [
      'an image smaller than the window',
      zeros([1, 2, 2, 4]),
      'conv2d: expected a kernel that fits in the padded image [2, 2] but received kernel [3, 3]',
    ],
    [
      'no image',
      zeros([5, 5, 4]) as never,
      'conv2d: expected x [N, H, W, C] with H, W and C of 1 or more but received x [5, 5, 4]',
    ],
    ['another dtype', zeros([1, 5, 5, 4], { dtype: 'f64' }), 'conv2d: expected one dtype but received x f64 and w f32'],
    [
      'another device',
      zeros([1, 5, 5, 4], { device: 'reference' }),
      'conv2d: expected tensors of one device but received x on reference and w on cpu',
    ],
  ])('refuses an input with other %s', (_, x, message) => {
    const layer: nn.Conv2d = new nn.Conv2d(sizes)
    expect(() => layer.forward(x)).toThrow(message)
  })
})

describe('BatchNorm2d', () => {
  it('has the authors’ defaults', () => {
    const layer = new nn.BatchNorm2d({ channels: 3 })
    expect([layer.momentum, layer.epsilon, layer.training]).toEqual([0.9, 2e-5, true])
    const { weight, bias, runningMean, runningVar } = layer
    expect([weight, bias, runningMean, runningVar].map(values)).toEqual([
      [1, 1, 1],
      [0, 0, 0],
      [0, 0, 0],
      [1, 1, 1],
    ])
    expect([weight, bias, runningMean, runningVar].map(x => x.requiresGrad)).toEqual([true, true, false, false])
  })

  it('is batchNorm2d with its tensors and options', () => {
    const layer = new nn.BatchNorm2d({ channels: 3, momentum: 0.8, epsilon: 0.1, ...place })
    layer.weight.assign(random([3], 2))
    layer.bias.assign(random([3], 3))
    const x = random([4, 2, 3, 3])
    const [mean, variance] = [zeros([3], place), ones([3], place)]
    for (const training of [true, false]) {
      const options = { training, momentum: 0.8, epsilon: 0.1 }
      const expected = batchNorm2d(x, layer.weight, layer.bias, mean, variance, options)
      expect(values(layer.train(training).forward(x))).toEqual(values(expected))
      expect([values(layer.runningMean), values(layer.runningVar)]).toEqual([values(mean), values(variance)])
    }
  })

  it('refuses other channels, and an empty batch to train on', () => {
    const layer: nn.BatchNorm2d = new nn.BatchNorm2d({ channels: 4 })
    expect(() => layer.forward(zeros([1, 2, 2, 3]))).toThrow('batchNorm2d: expected gamma [3] but received gamma [4]')
    expect(() => layer.forward(zeros([0, 2, 2, 4]))).toThrow(
      'batchNorm2d: expected a batch with at least one value per channel to train on but received x [0, 2, 2, 4]',
    )
    expect(layer.eval().forward(zeros([0, 2, 2, 4])).shape).toEqual([0, 2, 2, 4])
    expect(() => new nn.BatchNorm2d({ channels: -4 })).toThrow(
      'BatchNorm2d: expected a whole number of 1 or more for channels but received -4',
    )
  })
})

describe('ConvBlock', () => {
  const options = { inChannels: 3, outChannels: 4, kernel: 3, padding: 1, stride: 2, ...place }

  it.each([true, false])('is convolution, batch norm and, if asked, relu: %s', rectify => {
    const layer = new nn.ConvBlock({ ...options, relu: rectify })
    const x = random([2, 6, 5, 3])
    const { weight, bias, runningMean, runningVar } = new nn.BatchNorm2d({ channels: 4, ...place })
    const z = conv2d(x, layer.conv.weight, { padding: 1, stride: 2 })
    const y = batchNorm2d(z, weight, bias, runningMean, runningVar, { training: true })
    expect(values(layer.forward(x))).toEqual(values(rectify ? relu(y) : y))
  })

  describe('in inference without a tape', () => {
    afterEach(() => vi.restoreAllMocks())
    const make = (change: object) => {
      const layer = new nn.ConvBlock({ ...options, dtype: 'f32', device: 'cpu', ...change })
      const [channels] = layer.bn.weight.shape
      layer.bn.weight.assign(new Generator(2).normal([channels]))
      layer.bn.runningMean.assign(new Generator(3).normal([channels]))
      return layer.eval()
    }
    const x = new Generator(4).normal([2, 6, 5, 3])
    const calls = (body: () => void) => {
      const spies = [vi.spyOn(native, 'conv2dNormForward'), vi.spyOn(native, 'batchNorm2dApply')]
      body()
      return spies.map(spy => spy.mock.calls.length)
    }

    it.each([{ relu: true }, { relu: false }, { relu: 6 }, { relu: true, outChannels: 6, groups: 3 }] as const)(
      'is one piece of work on the CPU, and gives the same: %o',
      change => {
        const layer = make(change)
        const expected = values(layer.forward(x))
        const received: number[] = []
        expect(calls(() => received.push(...values(noGrad(() => layer.forward(x)))))).toEqual([1, 0])
        const errors = received.map((value, i) => Math.abs(value - (expected[i] as number)))
        expect(Math.max(...expected)).toBeGreaterThan(0.1)
        expect(Math.max(...errors)).toBeLessThan(1e-6)
      },
    )
  })

  it.each([undefined, 3])('refuses what is no tensor, in training and in inference: %s', x => {
    const message = `conv2d: expected a tensor for x but received ${x}`
    const layer = new nn.ConvBlock(options)
    expect(() => layer.forward(x as never)).toThrow(new TypeError(message))
    expect(() => noGrad(() => layer.eval().forward(x as never))).toThrow(new TypeError(message))
  })

  it('has a relu and momentum 0.9 unless told otherwise', () => {
    const layer = new nn.ConvBlock(options)
    expect([layer.relu, layer.bn.momentum]).toEqual([true, 0.9])
    expect(new nn.ConvBlock({ ...options, bnMomentum: 0.99 }).bn.momentum).toBe(0.99)
  })
})

describe('InterleavedGroupConv2d', () => {
  it('has the defaults of the paper', () => {
    const layer = new nn.InterleavedGroupConv2d({ inChannels: 48, outChannels: 96, primaryPartitions: 24 })
    expect([layer.primaryPartitions, layer.secondaryPartitions]).toEqual([24, 4])
    expect([layer.primary.stride, layer.primary.padding, layer.primary.groups]).toEqual([1, 1, 24])
    expect([layer.secondary.stride, layer.secondary.padding, layer.secondary.groups]).toEqual([1, 0, 4])
    expect(layer.primary.weight.shape).toEqual([96, 3, 3, 2])
    expect(layer.secondary.weight.shape).toEqual([96, 1, 1, 24])
    expect(layer.multiplyAdds([1, 8, 8, 96])).toBe(64 * (96 * 9 * 2 + 96 * 24))
  })

  it.each([
    ['paper', { inChannels: 6, outChannels: 12, primaryPartitions: 3, stride: 2 }],
    ['quirk', { inChannels: 6, outChannels: 12, primaryPartitions: 3, secondaryPartitions: 2, stride: 2 }],
    ['5x5', { inChannels: 4, outChannels: 4, primaryPartitions: 2, kernel: 5 }],
  ])('is convolution, Reorder(L), convolution, Reorder(M): %s', (_, options) => {
    const layer = new nn.InterleavedGroupConv2d({ ...options, ...place })
    const { primaryPartitions: l, secondaryPartitions: m, primary, secondary } = layer
    const x = random([2, 6, 5, options.inChannels])
    const z: Images = conv2d(x as Images, primary.weight, primary)
    const y: Images = conv2d(reorder(z, { factor: l }), secondary.weight, { groups: m })
    expectClose(layer.forward(x), reorder(y, { factor: m }))
  })

  const sizes = { inChannels: 48, outChannels: 48, primaryPartitions: 24 }
  it.each([
    [
      { inChannels: 50 },
      'igcBlock: expected channels divisible by 24 (primary partitions) but received 50 in and 48 out',
    ],
    [
      { outChannels: 50 },
      'igcBlock: expected channels divisible by 24 (primary partitions) but received 48 in and 50 out',
    ],
    [
      { secondaryPartitions: 5 },
      'igcBlock: expected channels divisible by 5 (secondary partitions) but received 48 out',
    ],
    [{ primaryPartitions: 0 }, 'igcBlock: expected a whole number of 1 or more for primaryPartitions but received 0'],
    [
      { secondaryPartitions: 0 },
      'igcBlock: expected a whole number of 1 or more for secondaryPartitions but received 0',
    ],
    [{ kernel: 2 }, 'igcBlock: expected an odd kernel but received 2'],
    [{ kernel: Number.NaN }, 'igcBlock: expected an odd kernel but received NaN'],
  ])('refuses %o', (change, message) => {
    for (const Layer of [nn.InterleavedGroupConv2d, nn.IgcBlock]) {
      expect(() => new Layer({ ...sizes, ...change })).toThrow(expect.objectContaining({ name: 'ShapeError', message }))
    }
  })

  it('refuses an input of other channels', () => {
    const layer = new nn.IgcBlock(sizes)
    expect(() => layer.forward(zeros([128, 32, 32, 50]))).toThrow(
      'igcBlock: expected channels divisible by 24 (primary partitions) but received 50 in x [128, 32, 32, 50]',
    )
  })
})

describe('IgcBlock', () => {
  it.each([true, false])('is the convolution, batch norm and, if asked, relu: %s', rectify => {
    const options = { inChannels: 4, outChannels: 8, primaryPartitions: 2, stride: 2, ...place }
    const block = new nn.IgcBlock({ ...options, relu: rectify, bnMomentum: 0.7 })
    const bare = new nn.InterleavedGroupConv2d(options)
    const norm = new nn.BatchNorm2d({ channels: 8, momentum: 0.7, ...place })
    expect(values(block.primary.weight)).toEqual(values(bare.primary.weight))
    const x = random([2, 5, 6, 4])
    const y = norm.forward(bare.forward(x))
    expect(values(block.forward(x))).toEqual(values(rectify ? relu(y) : y))
    expect(values(block.bn.runningVar)).toEqual(values(norm.runningVar))
  })
})

describe('Linear', () => {
  it('is linear with its weight and bias', () => {
    const layer = new nn.Linear({ inFeatures: 5, outFeatures: 3, ...place })
    expect([values(layer.bias), layer.weight.shape]).toEqual([
      [0, 0, 0],
      [3, 5],
    ])
    layer.bias.assign(random([3], 2))
    const x = random([4, 5])
    expect(values(layer.forward(x))).toEqual(values(linear(x, layer.weight, layer.bias)))
    expect(layer.multiplyAdds([4, 3])).toBe(4 * 3 * 5)
  })

  it('refuses other features', () => {
    const layer: nn.Linear = new nn.Linear({ inFeatures: 4, outFeatures: 3 })
    expect(() => layer.forward(zeros([1, 5]))).toThrow('linear: expected w [3, 5] but received w [3, 4]')
    expect(() => new nn.Linear({ inFeatures: 4, outFeatures: 0 })).toThrow(
      'Linear: expected a whole number of 1 or more for outFeatures but received 0',
    )
  })
})

describe('pools and ReLU', () => {
  it('are their ops with their options', () => {
    const x = random([2, 7, 6, 3])
    const options = { kernel: 3, stride: 2, padding: 1 }
    expect(values(new nn.AvgPool2d(options).forward(x))).toEqual(values(avgPool2d(x, options)))
    expect(values(new nn.MaxPool2d(options).forward(x))).toEqual(values(maxPool2d(x, options)))
    expect(new nn.MaxPool2d({ kernel: 3 }).forward(x).shape).toEqual([2, 2, 2, 3])
    expect(values(new nn.ReLU().forward(x))).toEqual(values(relu(x)))
    const whole = avgPool2d(random([2, 4, 4, 3]), { kernel: 4 })
    expectClose(new nn.GlobalAvgPool2d().forward(random([2, 4, 4, 3])), whole.reshape([2, 3]))
  })

  it.each(['AvgPool2d', 'MaxPool2d'] as const)('%s has options of its own', name => {
    const options = { kernel: 2 }
    const layer = new nn[name](options)
    options.kernel = 4
    expect(layer.forward(zeros([1, 4, 4, 1])).shape).toEqual([1, 2, 2, 1])
  })

  it.each(['AvgPool2d', 'MaxPool2d'] as const)('%s refuses, when it is made, options that no map fits', name => {
    expect(() => new nn[name](undefined as never)).toThrow(
      new TypeError(`${name}: expected an object of options but received undefined`),
    )
    const refused: [unknown, string][] = [
      [{}, 'expected a whole number of 1 or more for kernel but received undefined'],
      [{ kernel: '3' }, 'expected a whole number of 1 or more for kernel but received 3'],
      [{ kernel: 0 }, 'expected a whole number of 1 or more for kernel but received 0'],
      [{ kernel: 2.5 }, 'expected a whole number of 1 or more for kernel but received 2.5'],
      [{ kernel: 2, stride: 0 }, 'expected a whole number of 1 or more for stride but received 0'],
      [{ kernel: 2, padding: -1 }, 'expected a whole number of 0 or more for padding but received -1'],
      [{ kernel: 2, padding: Number.NaN }, 'expected a whole number of 0 or more for padding but received NaN'],
      [{ kernel: 3, padding: 2 }, 'expected padding of at most half the kernel (3 / 2) but received 2'],
    ]
    for (const [options, message] of refused) {
      const make = () => new nn[name](options as never)
      expect(make).toThrow(expect.objectContaining({ name: 'ShapeError', message: `${name}: ${message}` }))
    }
    expect(new nn[name]({ kernel: 2, padding: 1 }).forward(zeros([1, 4, 4, 2])).shape).toEqual([1, 3, 3, 2])
  })

  it('refuse windows that do not fit', () => {
    expect(() => new nn.MaxPool2d({ kernel: 3 }).forward(zeros([1, 2, 2, 2]))).toThrow(
      'maxPool2d: expected a kernel that fits in the padded image [2, 2] but received kernel [3, 3]',
    )
  })
})
