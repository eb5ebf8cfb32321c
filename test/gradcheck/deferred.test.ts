/**
 * Gradients where batch norm is left to its neighbours (src/deferred.ts), in f64 on `reference`, against central
 * differences; and against the same network with every batch norm carried out where it stands.
 */
import { describe, expect, it } from 'vitest'
import { ConvBlock, IgcBlock, Sequential } from '../../src/nn/index.ts'
import { add, addRelu, type FloatTensor, Generator, globalAvgPool2d, type Images } from '../../src/ops/index.ts'
import { scope } from '../../src/scope.ts'
import { gradcheck, normal } from '../support/gradcheck.ts'

const place = { dtype: 'f64', device: 'reference' } as const
const igc = { ...place, primaryPartitions: 2 }

/** gamma and beta away from 1 and 0; nothing at the kink of a ReLU. */
function spread<M extends Sequential | IgcBlock | ConvBlock>(net: M): M {
  const random = new Generator(5)
  for (const [name, value] of net.namedParameters()) {
    if (!/bn\.(weight|bias)$/.test(name)) continue
    const shift = name.endsWith('weight') ? 1 : 0.1
    value.assign(
      random
        .normal(value.shape, place)
        .dataSync()
        .map(noise => shift + 0.2 * noise) as never,
    )
  }
  return net
}

const block = (inChannels: number, outChannels: number, seed: number, options = {}) =>
  new IgcBlock({ ...igc, inChannels, outChannels, generator: new Generator(seed), ...options })

const regular = (inChannels: number, outChannels: number, seed: number, options = {}) => {
  const conv = { ...place, inChannels, outChannels, kernel: 3, padding: 1, generator: new Generator(seed) }
  return new ConvBlock({ ...conv, ...options })
}

/** The gradients of x and all parameters. Momentum 1 keeps the running statistics. */
function check(
  net: { parameters(): unknown[] },
  forward: (x: Images) => FloatTensor,
  x: Images = normal([2, 4, 5, 4], 3),
) {
  const inputs = [x, ...(net.parameters() as FloatTensor[])]
  gradcheck((..._: FloatTensor[]) => forward(x), inputs, { entries: 20, tolerance: 1e-6 })
}

const one = { bnMomentum: 1 }

describe.each([true, false])('training: %s', training => {
  it('two blocks', () => {
    const net = spread(new Sequential(block(4, 4, 1, one), block(4, 4, 2, one))).train(training)
    check(net, x => net.forward(x) as Images)
  })

  it('three blocks, with strides and widths, the last without ReLU', () => {
    const last = { ...one, relu: false, secondaryPartitions: 2 }
    const layers = [block(4, 8, 1, { ...one, stride: 2 }), block(8, 8, 2, one), block(8, 12, 3, last)]
    const net = spread(new Sequential(...layers)).train(training)
    check(net, x => net.forward(x) as Images, normal([2, 7, 6, 4], 3))
  })

  it('a convolution before and a pool behind', () => {
    const conv = { ...place, ...one, inChannels: 3, outChannels: 4, kernel: 3, padding: 1 }
    const stem = new ConvBlock({ ...conv, generator: new Generator(4) })
    const net = spread(new Sequential(stem, block(4, 4, 1, one))).train(training)
    check(net, x => globalAvgPool2d(net.forward(x) as Images), normal([2, 4, 4, 3], 3))
  })

  it('regular layers, one in groups, one with a stride, the last without ReLU', () => {
    const layers = [
      regular(4, 8, 1, { ...one, groups: 2 }),
      regular(8, 6, 2, { ...one, stride: 2 }),
      regular(6, 4, 3, { ...one, relu: false }),
    ]
    const net = spread(new Sequential(...layers)).train(training)
    check(net, x => net.forward(x) as Images)
  })

  it('a regular layer between blocks, and one whose ReLU is clipped', () => {
    const layers = [
      block(4, 4, 1, one),
      regular(4, 4, 2, { ...one, relu: 6 }),
      regular(4, 4, 3, one),
      block(4, 4, 4, one),
    ]
    const net = spread(new Sequential(...layers)).train(training)
    check(net, x => net.forward(x) as Images)
  })

  it('a residual unit of regular layers', () => {
    const layers = [regular(4, 4, 1, one), regular(4, 4, 2, one), regular(4, 4, 3, { ...one, relu: false })] as const
    const net = spread(new Sequential(...layers)).train(training)
    const [stem, first, second] = layers
    check(net, x => {
      const trunk = stem.forward(x)
      return addRelu(second.forward(first.forward(trunk)), trunk)
    })
  })

  it('a residual unit: the stem is used by a block and by the sum', () => {
    const layers = [block(4, 4, 1, one), block(4, 4, 2, one), block(4, 4, 3, { ...one, relu: false })] as const
    const net = spread(new Sequential(...layers)).train(training)
    const [stem, first, second] = layers
    check(net, x => {
      const trunk = stem.forward(x)
      return addRelu(second.forward(first.forward(trunk)), trunk)
    })
  })

  describe.each([
    ['blocks', block],
    ['regular layers', regular],
  ] as const)('two residual units of %s: the sum is used by a layer', (_, make) => {
    const last = { ...one, relu: false }
    const unit = (seed: number) => [make(4, 4, seed, one), make(4, 4, seed + 1, last)] as const
    const nets = () => {
      const layers = [make(4, 4, 1, one), ...unit(2), ...unit(4)] as const
      return { net: spread(new Sequential(...layers)).train(training), layers }
    }
    const sums = (x: Images, [stem, a, b, c, d]: ReturnType<typeof nets>['layers'], frozen = false) => {
      if (frozen) for (const parameter of c.parameters()) parameter.requiresGrad = false
      const trunk = stem.forward(x)
      const sum = addRelu(b.forward(a.forward(trunk)), trunk)
      return { sum, behind: d.forward(c.forward(sum)) }
    }

    it('and by the next sum', () => {
      const { net, layers } = nets()
      check(net, x => {
        const { sum, behind } = sums(x, layers)
        return addRelu(behind, sum)
      })
    })

    it('alone', () => {
      const { net, layers } = nets()
      check(net, x => sums(x, layers).behind)
    })

    it('and by two other ops', () => {
      const { net, layers } = nets()
      check(net, x => {
        const { sum, behind } = sums(x, layers)
        return add(addRelu(behind, sum), sum)
      })
    })

    it('whose weights are frozen, and by the next sum', () => {
      const { net, layers } = nets()
      const learned = {
        parameters: () => net.parameters().filter(parameter => !layers[3].parameters().includes(parameter)),
      }
      check(learned, x => {
        const { sum, behind } = sums(x, layers, true)
        return addRelu(behind, sum)
      })
    })
  })

  it('a result that is used twice by blocks, once by an op that knows nothing of norms', () => {
    const layers = [block(4, 4, 1, one), block(4, 4, 2, one), block(4, 4, 3, one)] as const
    const net = spread(new Sequential(...layers)).train(training)
    const [stem, left, right] = layers
    check(net, x => {
      const trunk = stem.forward(x)
      return add(add(left.forward(trunk), right.forward(trunk)), trunk)
    })
  })
})

it.each([
  ['blocks', [block(4, 4, 1), block(4, 8, 2, { stride: 2 }), block(8, 8, 3)]],
  ['regular layers', [regular(4, 4, 1), regular(4, 8, 2, { stride: 2 }), regular(8, 8, 3, { groups: 4 })]],
] as const)('the gradients are those of norms that are carried out at once: %s', (_, layers) => {
  const net = spread(new Sequential(...layers))
  const images = normal([3, 6, 6, 4], 9)
  const gradients = (carryOut: boolean) => {
    using _ = scope()
    let y: Images = images
    for (const layer of layers) {
      y = layer.forward(y)
      if (carryOut) void y.handle
      expect(y.deferred === undefined).toBe(carryOut)
    }
    y.backward(normal(y.shape, 10))
    return net.parameters().map(parameter => {
      const values = Array.from(parameter.grad?.dataSync() ?? [])
      parameter.grad?.dispose()
      return values
    })
  }
  const [apart, deferred] = [gradients(true), gradients(false)]
  for (const [i, values] of apart.entries()) {
    const scale = Math.max(...values.map(Math.abs))
    expect(scale).toBeGreaterThan(0)
    const worst = Math.max(...values.map((value, k) => Math.abs(value - (deferred[i]?.[k] as number))))
    expect(worst).toBeLessThan(1e-12 * scale)
  }
})
