/** The network without batch norm infers what the network infers: for every family, with values that batch norm matters for. */
import { describe, expect, it, test } from 'vitest'
import { Generator, models, nn, noGrad, type Tensor, tensor, theory } from '../../src/index.ts'
import { networkNames, networkTable } from '../../src/models/table.ts'
import { relativeError } from '../../src/train/benchmark.ts'

const { fuseForInference } = theory
const exact = { dtype: 'f64', device: 'reference' } as const
const igc = { primaryPartitions: 2, secondaryPartitions: 4 }

type Place = { dtype?: 'f32' | 'f64'; device?: 'cpu' | 'reference' }

/** The smallest of every family: as small as its sizes allow. */
const SMALL = {
  depth: 8,
  primaryPartitions: 2,
  secondaryPartitions: 4,
  width: 8,
  groupChannels: 8,
  multiplier: 0.25,
  frame: 'cifar',
} as const

/** Names that only stand for other sizes of a network that is here. */
const isVariant = (name: models.NetworkName) => 'fixed' in networkTable[name]

function small(name: models.NetworkName, place: Place): models.Network {
  const takes: Partial<models.NetworkSizes> = networkTable[name].takes
  const depth = takes.depth === 18 ? 18 : SMALL.depth
  const sizes = Object.entries({ ...SMALL, depth }).filter(([key]) => key in takes)
  return models.create(name, { ...Object.fromEntries(sizes), ...place })
}

const families: [string, (place: Place) => models.Network][] = [
  ...networkNames
    .filter(name => !isVariant(name))
    .map((name): [string, (place: Place) => models.Network] => [name, place => small(name, place)]),
  ['resnet_igc, consistent', place => models.resnetIgc({ depth: 8, ...igc, consistent: true, ...place })],
]

/** Gives every batch norm a scale, a shift and running statistics of its own. */
function unsettle(net: models.Network): void {
  const generator = new Generator(7)
  for (const [, module] of net.namedModules()) {
    if (!(module instanceof nn.BatchNorm2d)) continue
    const { weight, bias, runningMean, runningVar } = module
    const [gamma, beta, mean] = [weight, bias, runningMean].map(({ shape, dtype, device }) =>
      Float64Array.from(generator.normal(shape, { dtype, device }).dataSync()),
    ) as [Float64Array, Float64Array, Float64Array]
    const values: [Tensor, Float64Array][] = [
      [weight, gamma.map(value => 1 + value / 2)],
      [bias, beta],
      [runningMean, mean],
      [runningVar, mean.map(value => 0.5 + value ** 2)],
    ]
    for (const [target, data] of values) {
      const { shape, dtype, device } = target
      target.assign(tensor(data, shape, { dtype: dtype as 'f32', device }))
    }
  }
}

const infer = (net: models.Network, x: ReturnType<typeof images>) => noGrad(() => net.forward(x)).dataSync()
const images = (place: Place) => new Generator(2).normal([3, 9, 9, 3], place)

describe.each(families)('%s', (_, make) => {
  it('infers the same: reference, f64', () => {
    const net = make(exact)
    unsettle(net)
    const before = Object.values(net.state()).map(value => Array.from(value.dataSync()))
    const fused = fuseForInference(net)
    const x = images(exact)
    const expected = infer(net.eval(), x)
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.1)
    expect(relativeError(infer(fused, x), expected)).toBeLessThan(1e-11)
    expect(Object.values(net.state()).map(value => Array.from(value.dataSync()))).toEqual(before)
  })

  it('infers the same: cpu, f32, as near to f64 as the network itself', () => {
    const [net, twin] = [make({}), make(exact)]
    unsettle(net)
    twin.loadState(net.state())
    const truth = infer(twin.eval(), images(exact))
    const [own, fused] = [net.eval(), fuseForInference(net)].map(one => relativeError(infer(one, images({})), truth))
    expect(fused).toBeLessThan(4 * (own as number) + 1e-6)
    expect(own).toBeLessThan(0.01)
  })

  it('has no batch norm, is in inference mode, shares nothing', () => {
    const net = make({})
    const fused = fuseForInference(net)
    const modules = [...fused.namedModules()].map(([, module]) => module)
    expect(modules.some(module => module instanceof nn.BatchNorm2d)).toBe(false)
    expect(modules.every(module => !module.training)).toBe(true)
    const bn = [...net.namedModules()].filter(([, module]) => module instanceof nn.BatchNorm2d)
    const weights = (state: object) => Object.keys(state).length
    // weight, bias, runningMean, runningVar of each become one bias.
    expect(weights(fused.state())).toBe(weights(net.state()) - 3 * bn.length)
    net.dispose()
    expect(() => infer(fused, images({}))).not.toThrow()
    expect(infer(fuseForInference(fused), images({}))).toEqual(infer(fused, images({})))
  })
})

test('a change of the weights afterwards does not reach the fused network', () => {
  const net = models.plain({ depth: 5, width: 4 })
  const fused = fuseForInference(net)
  const before = infer(fused, images({}))
  unsettle(net)
  expect(infer(fused, images({}))).toEqual(before)
})

test.each(['plain', 'plain_igc'] as const)('a fused %s without parameters to train makes no tape', name => {
  const fused = fuseForInference(small(name, {}))
  expect(fused.forward(images({})).requiresGrad).toBe(true)
  for (const parameter of fused.parameters()) parameter.requiresGrad = false
  expect(fused.forward(images({})).requiresGrad).toBe(false)
})

test('a lone batch norm is refused', () => {
  const net = new nn.Sequential(new nn.ReLU(), new nn.BatchNorm2d({ channels: 4 }))
  expect(() => fuseForInference(net)).toThrow(
    expect.objectContaining({
      name: 'UnsupportedError',
      message: 'fuseForInference: expected batch norm inside of blocks of nn only but received one at 1',
    }),
  )
})
