/**
 * Every name of the table: shapes, no NaN, a gradient for every parameter, the state there and back, the summary against
 * the tensors, and a training step that lowers the loss. Small sizes and images; the papers' counts: model-counts.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Generator, models, nn, noGrad, optim, scope, tensor } from '../../src/index.ts'
import { imageSize, networkNames, networkTitle, warningOf } from '../../src/models/table.ts'
import { buildNetwork, summarize, withDefaults } from '../../src/train/index.ts'

const igc = { depth: 8, primaryPartitions: 2, secondaryPartitions: 2 }
const frame = 'cifar' as const
const mobile = { multiplier: 0.25, frame } as const

/** Sizes that are fast; what a name fixes stays. */
const small: { [N in models.NetworkName]: models.NamedOptions<N> } = {
  plain: igc,
  plain_igc: igc,
  resnet: igc,
  resnet_igc: { ...igc, consistent: true },
  sumfusion: igc,
  resnet_sumfusion: igc,
  xception: { depth: 8, width: 4 },
  resnet_xception: { depth: 8, width: 4 },
  resnet_imgnet_d18: { primaryPartitions: 4, frame },
  resnet_imgnet_d18_w64: { frame },
  resnet_imgnet_d18_w69: { frame },
  resnet_igc_imgnet_d18: { primaryPartitions: 4, secondaryPartitions: 2, frame },
  resnet_igc_imgnet_d18_l4m32: { frame },
  resnet_igc_imgnet_d18_l16m16: { frame },
  resnet_igc_imgnet_d18_l100m2: { frame },
  igcv2: { depth: 8, width: 16, groupChannels: 4 },
  resnet_igcv2: { depth: 8, width: 16, groupChannels: 4 },
  igcv2_mobilenet: { ...mobile, groupChannels: 4 },
  'igcv2_mobilenet_0.5': { frame },
  'igcv2_mobilenet_0.25': { frame },
  igcv3_d: { ...mobile, permutations: 2 },
}

const CLASSES = 7
const EDGE = 12
const BATCH = 4

function create(name: models.NetworkName, options: models.NamedOptions = {}): models.Network {
  return models.create(name, { ...small[name], classes: CLASSES, seed: 3, ...options })
}

const images = (edge = EDGE) => new Generator(2).normal([BATCH, edge, edge, 3])
const labels = () => tensor(Int32Array.of(1, 5, 0, 6), [BATCH])
const allFinite = (values: ArrayLike<number>) => Array.from(values).every(Number.isFinite)

it('the table has a builder for every name, and every name a size here', () => {
  expect(Object.keys(models.networks)).toEqual(networkNames)
  expect(Object.keys(small)).toEqual(networkNames)
})

describe.each(networkNames)('%s', name => {
  let net: models.Network
  beforeAll(() => {
    net = create(name)
  })
  afterAll(() => net.dispose())

  it('gives finite logits of its shape, in both modes', () => {
    using _inner = scope()
    for (const training of [true, false]) {
      const logits = noGrad(() => net.train(training).forward(images()))
      expect(logits.shape).toEqual([BATCH, CLASSES])
      expect(allFinite(logits.dataSync())).toBe(true)
    }
  })

  it('has as many parameters as its summary says', () => {
    const { rows, parameters, convParameters, bnParameters, linearParameters } = summarize(net, [1, EDGE, EDGE, 3])
    expect(noGrad(() => summarize(net, [1, EDGE, EDGE, 3])).rows).toEqual(rows)
    const actual = Object.values(net.state()).reduce((sum, t) => sum + (t.requiresGrad ? t.size : 0), 0)
    expect(parameters).toBe(actual)
    expect(convParameters + bnParameters + linearParameters).toBe(actual)
    expect(rows.reduce((sum, row) => sum + row.parameters, 0)).toBe(actual)
    const weights = Object.entries(net.state()).filter(([key, t]) => key.endsWith('.weight') && t.shape.length === 4)
    const trained = weights.filter(([, t]) => t.requiresGrad).reduce((sum, [, t]) => sum + t.size, 0)
    expect(convParameters).toBe(trained)
  })

  it('infers the same with its state in a network of other initial values', () => {
    using _inner = scope()
    const infer = (network: models.Network) => noGrad(() => network.eval().forward(images())).dataSync()
    const other = create(name, { seed: 4 })
    const expected = infer(net)
    expect(infer(other)).not.toEqual(expected)
    other.loadState(net.state())
    expect(infer(other)).toEqual(expected)
    other.dispose()
  })

  it('gets a gradient for every parameter, and a step lowers the loss', () => {
    using _inner = scope()
    net.train()
    const loss = () => nn.crossEntropy(net.forward(images()), labels())
    const before = loss()
    before.backward()
    for (const [parameter, value] of net.namedParameters()) {
      const gradient = value.grad?.dataSync() ?? []
      expect(allFinite(gradient) && Array.from(gradient).some(g => g !== 0), parameter).toBe(true)
    }
    const sgd = optim.sgd(net.parameters(), { lr: 0.001 })
    sgd.step()
    sgd.dispose()
    const after = noGrad(loss)
    expect(after.dataSync()[0]).toBeLessThan(before.dataSync()[0] as number)
  })

  it('is built by the defaults of a training run, for 32x32 images', () => {
    using _inner = scope()
    const trained = buildNetwork(withDefaults({ network: name }))
    const logits = noGrad(() => trained.eval().forward(new Generator(2).normal([1, 32, 32, 3])))
    expect(logits.shape).toEqual([1, 10])
    expect(allFinite(logits.dataSync())).toBe(true)
    trained.dispose()
  })

  it('says what it is, and refuses sizes that it does not take', () => {
    const entry = models.networks[name]
    expect(entry.about).toMatch(/^\S.{10,100}\S$/)
    expect(entry.origin).toMatch(/ et al\. 20\d\d/)
    expect(networkTitle(name).startsWith(name)).toBe(true)
    const strange =
      name === 'plain'
        ? { multiplier: 2 }
        : { unknown: 1, ...('depth' in entry.takes ? { multiplier: 2 } : { depth: 20 }) }
    const [key, value] = Object.entries(strange).at(-1) as [string, number]
    expect(() => models.create(name, strange as models.NamedOptions)).toThrow(
      new RangeError(
        `${name}: expected only ${Object.keys(entry.takes).join(', ')} as its sizes but received ${key} ${value}`,
      ),
    )
  })
})

describe('the frame of ImageNet', () => {
  it.each([
    ['resnet_imgnet_d18', { primaryPartitions: 2 }],
    ['resnet_igc_imgnet_d18', { primaryPartitions: 2, secondaryPartitions: 1 }],
    ['resnet_igc_imgnet_d18', { primaryPartitions: 2, secondaryPartitions: 2, growth: 'M' }],
    ['igcv2_mobilenet', { multiplier: 0.25 }],
    ['igcv3_d', { multiplier: 0.1 }],
  ] as [models.NetworkName, models.NamedOptions][])('%s shrinks maps 32 times', (name, options) => {
    using _inner = scope()
    const net = models.create(name, { classes: 3, ...options })
    const { rows } = summarize(net, [1, 64, 64, 3])
    const maps = rows.filter(row => row.output.length === 4).map(row => row.output[1])
    expect(maps.at(-1)).toBe(2)
    expect(imageSize(name, options)).toBe(224)
    expect(imageSize(name, { ...options, frame })).toBe(32)
    const strided = summarize(models.create(name, { classes: 3, ...options, frame }), [1, 32, 32, 3]).rows
    expect(strided.filter(row => row.output.length === 4).at(-1)?.output[1]).toBe(4)
  })
})

describe('sizes that make no sense', () => {
  it.each([
    ['resnet_imgnet_d18', { depth: 34 }, 'resnet_imgnet_d18: expected a depth of 18 but received 34'],
    ['resnet_igc_imgnet_d18', { depth: 34 }, 'resnet_igc_imgnet_d18: expected a depth of 18 but received 34'],
    ['resnet_imgnet_d18', { frame: 'mnist' }, 'network: expected imagenet or cifar for frame but received mnist'],
    ['resnet_igc_imgnet_d18', { growth: 'X' }, 'network: expected L or M for growth but received X'],
    ['igcv3_d', { permutations: 3 }, 'igcv3_d: expected 1 or 2 for permutations but received 3'],
    ['igcv3_d', { multiplier: 0 }, 'network: expected a number above 0 and up to 64 for multiplier but received 0'],
    ['igcv3_d', { multiplier: NaN }, 'network: expected a number above 0 and up to 64 for multiplier but received NaN'],
    ['igcv3_d', { dropout: 1 }, 'Dropout: expected a rate of 0 or more and below 1 but received 1'],
    ['igcv2', { width: 20 }, 'igcv2: expected channels divisible by 8 (groupChannels) but received 20 in and 20 out'],
    [
      'igcv2_mobilenet',
      { multiplier: 0.3 },
      'igcv2MobileNet: expected a multiplier whose widths groups of 8 channels can join, as those of multiples of 0.25 for 8, but received 0.3 (80 and 152 channels)',
    ],
    [
      'plain_igc',
      { primaryPartition: 4 },
      'plain_igc: expected only depth, primaryPartitions, secondaryPartitions, classes, seed, bnMomentum, generator, device, dtype but received primaryPartition',
    ],
    [
      'plain',
      { relu: false },
      'plain: expected only depth, primaryPartitions, secondaryPartitions, classes, seed, bnMomentum, generator, device, dtype but received relu',
    ],
    ['igcv2', { width: 0 }, 'network: expected a whole number of 1 or more for width but received 0'],
    ['xception', { width: 1.5 }, 'network: expected a whole number of 1 or more for width but received 1.5'],
    [
      'sumfusion',
      { primaryPartitions: 0 },
      'network: expected a whole number of 1 or more for primaryPartitions but received 0',
    ],
  ] as [models.NetworkName, object, string][])('%s %j', (name, options, message) => {
    expect(() => models.create(name, options as models.NamedOptions)).toThrow(new RangeError(message))
  })
})

it('warns where the authors’ printed command builds another network than their table has', () => {
  const printed = { primaryPartitions: 100 }
  expect(warningOf('resnet_igc_imgnet_d18', printed)).toMatch(/takes 4 .* 36\.9 M .* 1, here, is IGC-L100M2/)
  expect(warningOf('resnet_igc_imgnet_d18', { ...printed, secondaryPartitions: 4 })).toMatch(
    /36\.9 M parameters, as here/,
  )
  expect(warningOf('resnet_igc_imgnet_d18', { ...printed, secondaryPartitions: 1 })).toBeUndefined()
  expect(warningOf('resnet_igc_imgnet_d18', {})).toBeUndefined()
  expect(warningOf('plain_igc', printed)).toBeUndefined()
})
