/**
 * Parameters and multiply-adds of the ImageNet networks, IGCV2 and IGCV3 against the published graphs and papers, to the
 * last one; and that the pointwise convolutions of IGCV2 reach every channel from every channel.
 */
import { expect, it } from 'vitest'
import { conv2d, type Images, models, nn, reorder, tensor } from '../../src/index.ts'
import { Igcv2Block, PointwiseChain } from '../../src/models/igcv2.ts'
import { summarize } from '../../src/train/index.ts'

function counts(name: models.NetworkName, options: models.NamedOptions = {}, edge = 224) {
  const net = models.create(name, options)
  const summary = summarize(net, [1, edge, edge, 3])
  net.dispose()
  return summary
}

/** Convolution, batch norm, linear parameters, their sum; giga multiply-adds. */
it.each<[models.NetworkName, number, number, number, number, number]>([
  ['resnet_imgnet_d18_w64', 11_166_912, 9_600, 513_000, 11_689_512, 1.814],
  ['resnet_imgnet_d18_w69', 12_979_107, 10_350, 553_000, 13_542_457, 2.099],
  ['resnet_igc_imgnet_d18_l4m32', 11_207_040, 19_200, 1_025_000, 12_251_240, 1.945],
  ['resnet_igc_imgnet_d18_l16m16', 11_440_896, 38_400, 2_049_000, 13_528_296, 2.266],
  ['resnet_igc_imgnet_d18_l100m2', 7_006_700, 30_200, 1_601_000, 8_637_900, 1.265],
])('%s has the parameters of the published graph', (name, conv, bn, linear, total, gigaMacs) => {
  const summary = counts(name)
  expect(summary).toMatchObject({ convParameters: conv, bnParameters: bn, linearParameters: linear, parameters: total })
  expect((summary.macs / 1e9).toFixed(3)).toBe(gigaMacs.toFixed(3))
})

it('the named ones are those of the authors’ options, and their printed command builds a network of 36.9 M', () => {
  const igc = (secondaryPartitions: number) =>
    counts('resnet_igc_imgnet_d18', { primaryPartitions: 100, secondaryPartitions }, 64).parameters
  expect(igc(1)).toBe(8_637_900)
  expect((igc(4) / 1e6).toFixed(1)).toBe('36.9')
  expect(counts('resnet_imgnet_d18', { primaryPartitions: 69 }, 64).parameters).toBe(13_542_457)
})

it('IGCV3-D', () => {
  expect(counts('igcv3_d').parameters).toBe(3_491_688)
  expect((counts('igcv3_d').macs / 1e6).toFixed(2)).toBe('312.97')
  for (const permutations of [1, 2]) {
    const cifar = { permutations, frame: 'cifar' } as const
    expect(counts('igcv3_d', { ...cifar, classes: 10 }, 32).parameters).toBe(2_223_498)
    expect(counts('igcv3_d', { ...cifar, classes: 100 }, 32).parameters).toBe(2_338_788)
  }
})

it('IGCV3-D has 32 blocks, 25 of them with x added', () => {
  const net = models.igcv3D({ multiplier: 0.1 })
  const blocks = net.stages.flat()
  expect(blocks.length).toBe(32)
  expect(blocks.filter(block => block.residual).length).toBe(25)
})

it.each([
  [64, 1_600],
  [128, 4_224],
  [256, 8_448],
  [416, 13_728],
  [832, 34_112],
])('an IGCV2 block of %i channels has %i parameters', (channels, expected) => {
  const block = new Igcv2Block({ inChannels: channels, outChannels: channels, groupChannels: 8 })
  const weights = Object.values(block.state()).filter(({ shape }) => shape.length === 4)
  expect(weights.reduce((sum, { size }) => sum + size, 0)).toBe(expected)
})

/** Which outputs each input reaches: all weights 1, the input one channel. */
function isDense({ layers, groupChannels }: PointwiseChain, channels: number): boolean {
  const rows = Float32Array.from({ length: channels * channels }, (_, i) => (i % (channels + 1) === 0 ? 1 : 0))
  let y: Images = tensor(rows, [channels, 1, 1, channels])
  for (const [i, layer] of layers.entries()) {
    const { weight, groups } = layer instanceof nn.ConvBlock ? layer.conv : layer
    const all = tensor(new Float32Array(weight.size).fill(1), weight.shape)
    y = conv2d((i === 0 ? y : reorder(y, { factor: (y.shape[3] as number) / groupChannels })) as never, all as never, {
      groups,
    })
  }
  return y.dataSync().every(value => value > 0)
}

it.each([0.25, 0.5, 1])(
  'the pointwise convolutions of MobileNet %d reach every channel from every channel',
  multiplier => {
    const net = models.igcv2MobileNet({ multiplier })
    for (const [, module] of net.namedModules()) {
      const chain: unknown = module
      if (!(chain instanceof PointwiseChain)) continue
      const { weight, groups } =
        chain.layers[0] instanceof nn.ConvBlock ? chain.layers[0].conv : (chain.layers[0] as nn.Conv2d)
      expect(isDense(chain, (weight.shape[3] as number) * groups)).toBe(true)
    }
  },
)
