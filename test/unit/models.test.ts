/** The networks as functions and by name: options, seeds, shapes, gradients, and the literal text of every error. */
import { describe, expect, it } from 'vitest'
import { device, Generator, models, nn, noGrad, ones, optim, scope, zeros } from '../../src/index.ts'

const igc = { primaryPartitions: 2, secondaryPartitions: 2 }
const all: [string, (options?: Partial<models.NamedOptions>) => models.Network][] = [
  ['plain', options => models.plain({ depth: 8, width: 4, ...options })],
  ['plain_igc', options => models.plainIgc({ depth: 8, ...igc, ...options })],
  ['resnet', options => models.resnet({ depth: 8, width: 4, ...options })],
  ['resnet_igc', options => models.resnetIgc({ depth: 8, ...igc, ...options })],
]
const values = (net: models.Network) => Object.values(net.state()).map(value => Array.from(value.dataSync()))

describe.each(all)('%s', (name, make) => {
  it('gives logits for images of 32x32, 16x16 and odd sizes', () => {
    const net = make()
    for (const size of [
      [32, 32],
      [16, 16],
      [9, 13],
    ] as const) {
      expect(net.forward(ones([2, ...size, 3])).shape).toEqual([2, 10])
    }
    expect(noGrad(() => net.eval().forward(ones([0, 8, 8, 3]))).shape).toEqual([0, 10])
  })

  it('has as many classes as asked for', () => {
    expect(make({ classes: 7 }).forward(ones([1, 8, 8, 3])).shape).toEqual([1, 7])
  })

  it('brings a gradient to every parameter', () => {
    const net = make()
    const images = new Generator(2).normal([4, 8, 8, 3])
    nn.crossEntropy(net.forward(images), zeros([4], { dtype: 'i32' })).backward()
    for (const [parameter, value] of net.namedParameters()) {
      expect(
        value.grad?.dataSync().some(x => x !== 0),
        parameter,
      ).toBe(true)
    }
  })

  it('is decided by its seed', () => {
    expect(values(make({ seed: 1 }))).toEqual(values(make({ seed: 1 })))
    expect(values(make({ seed: 1 }))).not.toEqual(values(make({ seed: 2 })))
    expect(values(make())).toEqual(values(make({ seed: 0 })))
    expect(values(make({ generator: new Generator(3) }))).toEqual(values(make({ seed: 3 })))
  })

  it('has no two layers with the same first values', () => {
    const firsts = make()
      .namedParameters()
      .filter(([name]) => /(conv|primary|secondary)\.weight$|^head\.weight$/.test(name))
      .map(([, value]) => {
        const drawn = value.dataSync()
        return (drawn[0] as number) / (drawn[1] as number) // whatever the scale
      })
    expect(new Set(firsts).size).toBe(firsts.length)
  })

  it('is what create gives for its name', () => {
    const created = models.create(name as models.NetworkName, { depth: 8, ...igc, seed: 4 })
    expect(Object.keys(created.state())).toEqual(Object.keys(make().state()))
    expect(values(created)).toEqual(values(make({ seed: 4 })))
  })

  it('uses the authors’ momentum of batch norm unless told otherwise', () => {
    const momenta = (net: models.Network) => {
      const found = Array.from(net.namedModules(), ([, module]) => module)
      return new Set(found.filter(module => module instanceof nn.BatchNorm2d).map(module => module.momentum))
    }
    const authors = name.startsWith('plain') ? 0.99 : 0.9
    expect(momenta(make())).toEqual(new Set([authors]))
    expect(momenta(make({ bnMomentum: 0.5 }))).toEqual(new Set([0.5]))
    const unset = { bnMomentum: undefined } as object
    expect(momenta(make(unset))).toEqual(new Set([authors]))
  })

  it('lives where it is asked to', () => {
    const net = make({ device: 'reference', dtype: 'f64' })
    const places = Object.values(net.state()).map(value => `${value.dtype} on ${value.device}`)
    expect(new Set(places)).toEqual(new Set(['f64 on reference']))
    expect(String(net.forward(ones([1, 8, 8, 3], { device: 'reference', dtype: 'f64' })))).toBe(
      'Tensor [1, 10] f64 on reference',
    )
  })

  it('makes tensors in a scope only for its result', () => {
    const net = make()
    using step = scope()
    const x = ones([1, 8, 8, 3])
    const y = net.forward(x)
    expect([x.owner, y.owner]).toEqual([step, step])
  })

  it.each(['with', 'without'])('trains in the same memory at every step, %s a scope', how => {
    const net = make()
    const sgd = optim.sgd(net.parameters(), { lr: 0.01, momentum: 0.9 })
    const [images, labels] = [ones([2, 8, 8, 3]), zeros([2], { dtype: 'i32' })]
    const use = Array.from({ length: 10 }, () => {
      using step = how === 'with' ? scope() : undefined
      const logits = net.forward(images)
      const loss = nn.crossEntropy(logits, labels)
      loss.backward()
      sgd.step()
      if (step) step.dispose()
      else for (const x of [logits, loss]) x.dispose()
      const { bytesInUse, bytesReserved, allocations } = device.memory()
      return { bytesInUse, bytesReserved, allocations }
    })
    expect(use[0]?.bytesInUse).toBe(use[9]?.bytesInUse)
    expect(use[9]).toEqual(use[2])
  })

  it('refuses a number of classes below 1', () => {
    for (const classes of [0, -1, 2.5, Number.NaN]) {
      expect(() => make({ classes })).toThrow(
        new RangeError(`network: expected a whole number of 1 or more for classes but received ${classes}`),
      )
    }
  })

  it('refuses images of other channels, and what is no image', () => {
    const net = make()
    expect(() => net.forward(ones([1, 8, 8, 4]))).toThrow(
      'conv2d: expected w [K, R, S, 4] (C / groups = 4 / 1) but received w [4, 3, 3, 3]',
    )
    expect(() => net.forward(ones([8, 8, 3]) as never)).toThrow(
      'conv2d: expected x [N, H, W, C] with H, W and C of 1 or more but received x [8, 8, 3]',
    )
  })
})

describe('depth', () => {
  const plain = (received: unknown, hint = '') =>
    new RangeError(
      `plain: expected a depth of 3B + 2 (5, 8, 11, …, 20, …, 38, …) up to 10000 but received ${received}${hint}`,
    )
  it.each<[number, string?]>([
    [4, '; the nearest is 5'],
    [2, '; the nearest is 5'],
    [21, '; the nearest is 20'],
    [22, '; the nearest is 23'],
    [20.5, '; the nearest is 20'],
    [10_001],
    [1e9],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
  ])('%d does not fit plain networks', (depth, hint = '') => {
    expect(() => models.plain({ depth, width: 4 })).toThrow(plain(depth, hint))
    expect(() => models.plainIgc({ depth, ...igc })).toThrow(plain(depth, hint))
  })

  it.each([7, 2, 8.5, 1e9, Number.NaN])('%d does not fit residual networks', depth => {
    const error = new RangeError(
      `resnet: expected a depth from 8 to 10000 (6n + 2: 8, 14, 20, …) but received ${depth}`,
    )
    expect(() => models.resnet({ depth, width: 4 })).toThrow(error)
    expect(() => models.resnetIgc({ depth, ...igc })).toThrow(error)
  })

  it('is shared out over the stages of residual networks as the authors’ script does', () => {
    const units = (depth: number) => models.resnet({ depth, width: 1 }).stages.map(stage => stage.length)
    expect([8, 14, 20, 50].map(units)).toEqual([
      [1, 1, 1],
      [2, 2, 2],
      [3, 3, 3],
      [8, 8, 8],
    ])
    expect([9, 10, 12, 16, 18].map(units)).toEqual([
      [1, 1, 1],
      [1, 1, 2],
      [1, 2, 2],
      [2, 2, 3],
      [2, 3, 3],
    ])
  })
})

describe('partitions and names', () => {
  it.each([0, -1, 1.5, Number.NaN])('%d partitions make no sense', partitions => {
    const error = (name: string) =>
      new RangeError(`network: expected a whole number of 1 or more for ${name} but received ${partitions}`)
    for (const make of [models.plainIgc, models.resnetIgc]) {
      expect(() => make({ depth: 8, ...igc, primaryPartitions: partitions })).toThrow(error('primaryPartitions'))
      expect(() => make({ depth: 8, ...igc, secondaryPartitions: partitions })).toThrow(error('secondaryPartitions'))
    }
    for (const make of [models.plain, models.resnet]) {
      expect(() => make({ depth: 8, width: partitions })).toThrow(error('width'))
    }
  })

  it('an unknown name is told the known ones', () => {
    for (const name of ['plainIgc', 'toString', '']) {
      expect(() => models.create(name as models.NetworkName, { depth: 8, ...igc })).toThrow(
        new RangeError(`network: expected one of ${Object.keys(models.networks).join(', ')} but received ${name}`),
      )
    }
  })

  it('the secondary partitions double with the width, in plain_igc and the consistent resnet_igc', () => {
    const groups = (net: models.Network) =>
      Array.from(net.namedModules(), ([name, module]) => ({ name, module }))
        .filter(({ name }) => /^stages\.\d\.0(\.layers\.0)?$/.test(name))
        .flatMap(({ module }) => (module instanceof nn.IgcBlock ? [module.secondaryPartitions] : []))
    expect(groups(models.plainIgc({ depth: 8, ...igc }))).toEqual([2, 4, 8])
    expect(groups(models.resnetIgc({ depth: 8, ...igc, consistent: true }))).toEqual([2, 4, 8])
    expect(groups(models.resnetIgc({ depth: 8, ...igc }))).toEqual([2, 2, 4])
  })
})
