/** The network without batch norm infers what the network infers: for every family, with values that batch norm matters for. */
import { describe, expect, it, test } from 'vitest'
import { Generator, models, nn, noGrad, type Tensor, tensor, theory } from '../../src/index.ts'
import { relativeError } from '../../src/train/benchmark.ts'

const { fuseForInference } = theory
const exact = { dtype: 'f64', device: 'reference' } as const
const igc = { primaryPartitions: 2, secondaryPartitions: 4 }

type Place = { dtype?: 'f32' | 'f64'; device?: 'cpu' | 'reference' }

const families: [string, (place: Place) => models.Network][] = [
  ['plain', place => models.plain({ depth: 5, width: 4, ...place })],
  ['plain_igc', place => models.plainIgc({ depth: 8, ...igc, ...place })],
  ['resnet', place => models.resnet({ depth: 8, width: 4, ...place })],
  ['resnet_igc', place => models.resnetIgc({ depth: 8, ...igc, ...place })],
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
  it.each<[string, Place, number]>([
    ['reference, f64', exact, 1e-11],
    ['cpu, f32', {}, 1e-4],
  ])('infers the same: %s', (_, place, tolerance) => {
    const net = make(place)
    unsettle(net)
    const before = Object.values(net.state()).map(value => Array.from(value.dataSync()))
    const fused = fuseForInference(net)
    const x = images(place)
    const expected = infer(net.eval(), x)
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.1)
    expect(relativeError(infer(fused, x), expected)).toBeLessThan(tolerance)
    expect(Object.values(net.state()).map(value => Array.from(value.dataSync()))).toEqual(before)
  })

  it('has no batch norm, is in inference mode, shares nothing', () => {
    const net = make({})
    const fused = fuseForInference(net)
    const modules = [...fused.namedModules()].map(([, module]) => module)
    expect(modules.some(module => module instanceof nn.BatchNorm2d)).toBe(false)
    expect(modules.every(module => !module.training)).toBe(true)
    const bn = Object.entries(net.state()).filter(([name]) => /(^|\.)bn\./.test(name))
    const weights = (state: object) => Object.keys(state).length
    // weight, bias, runningMean, runningVar of each become one bias.
    expect(weights(fused.state())).toBe(weights(net.state()) - (3 * bn.length) / 4)
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

test('a lone batch norm is refused', () => {
  const net = new nn.Sequential(new nn.ReLU(), new nn.BatchNorm2d({ channels: 4 }))
  expect(() => fuseForInference(net)).toThrow(
    expect.objectContaining({
      name: 'UnsupportedError',
      message: 'fuseForInference: expected batch norm inside of blocks of nn only but received one at 1',
    }),
  )
})
