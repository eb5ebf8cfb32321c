/**
 * The gradient of whole networks by every parameter, in training mode, through the loss: in f64 on `reference` against
 * central differences, and in f32 on `cpu` against that gradient.
 */
import { describe, expect, it } from 'vitest'
import { models, nn } from '../../src/index.ts'
import type { ModuleOptions } from '../../src/nn/index.ts'
import { type FloatTensor, Generator, type Images } from '../../src/ops/index.ts'
import { tensor } from '../../src/tensor.ts'
import { gradcheck, normal } from '../support/gradcheck.ts'

const reference = { dtype: 'f64', device: 'reference' } as const
const igc = { primaryPartitions: 2, secondaryPartitions: 2, classes: 5, seed: 3 }

const networks: [string, (placement: ModuleOptions) => models.Network][] = [
  ['plain', placement => models.plain({ depth: 5, width: 4, classes: 5, seed: 3, ...placement })],
  ['plain_igc', placement => models.plainIgc({ depth: 5, ...igc, ...placement })],
  ['resnet', placement => models.resnet({ depth: 8, width: 4, classes: 5, seed: 3, ...placement })],
  ['resnet_igc', placement => models.resnetIgc({ depth: 8, ...igc, ...placement })],
  ['resnet_igc, consistent', placement => models.resnetIgc({ depth: 8, ...igc, consistent: true, ...placement })],
]

const labels = [4, 0, 2]
const makeImages = () => normal([3, 8, 8, 3], 11)

describe('against central differences', () => {
  it.each(networks)('%s', (_, make) => {
    const [net, images] = [make(reference), makeImages()]
    spread(net)
    const truth = tensor(labels, [3], { dtype: 'i32', device: 'reference' })
    const parameters = net.parameters() as FloatTensor[]
    const loss = (..._: FloatTensor[]) => nn.crossEntropy(net.forward(images), truth, { labelSmoothing: 0.1 })
    gradcheck(loss, parameters, {
      entries: 24,
      tolerance: 1e-6,
      alone: false,
    })
    gradcheck(images => nn.crossEntropy(net.forward(images), truth), [images], { entries: 60, tolerance: 1e-6 })
  })
})

describe('cpu in f32 against reference in f64', () => {
  it.each(networks)('%s', (_, make) => {
    const [exact, images] = [make(reference), makeImages()]
    spread(exact)
    const fast = make({ device: 'cpu' })
    fast.loadState(exact.state())
    const expected = gradients(exact, images, 'reference')
    const received = gradients(fast, tensor(Float32Array.from(images.dataSync()), [3, 8, 8, 3]), 'cpu')
    expect(received.map(([name]) => name)).toEqual(expected.map(([name]) => name))
    for (const [i, [name, values]] of expected.entries()) {
      const scale = Math.max(...values.map(Math.abs))
      expect(scale, name).toBeGreaterThan(0)
      const worst = Math.max(...values.map((value, k) => Math.abs(value - (received[i]?.[1][k] as number))))
      expect(worst / scale, name).toBeLessThan(1e-4)
    }
  })
})

/** Replaces the ones and zeros that gamma, beta and bias start from, so that a mix-up of them shows. */
function spread(net: models.Network): void {
  const random = new Generator(5)
  for (const [name, value] of net.namedParameters()) {
    if (!/(bn\.weight|bias)$/.test(name)) continue
    const shift = name.endsWith('bn.weight') ? 1 : 0
    const noise = random.normal(value.shape, reference).dataSync()
    value.assign(noise.map(x => shift + 0.2 * x))
  }
}

function gradients(net: models.Network, x: Images, device: 'cpu' | 'reference'): [string, number[]][] {
  const truth = tensor(labels, [3], { dtype: 'i32', device })
  nn.crossEntropy(net.forward(x), truth).backward()
  return net.namedParameters().map(([name, parameter]) => [name, Array.from(parameter.grad?.dataSync() ?? [])])
}
