/** Modules: what they find in their properties, the names in their state, loading, modes, and the end of them. */
import { describe, expect, it, vi } from 'vitest'
import { models, nn, ones, optim, relu, scope, type Tensor, tensor, zeros } from '../../src/index.ts'
import { bytesInUse } from '../support/gradients.ts'

const norm = ['weight', 'bias', 'runningMean', 'runningVar']
const names = (prefix: string, ...rest: string[]) => rest.map(name => `${prefix}.${name}`)
const bn = (prefix: string) => names(`${prefix}.bn`, ...norm)

describe('names in the state', () => {
  const igc = { primaryPartitions: 2, secondaryPartitions: 2 }
  const block = (prefix: string) => [`${prefix}.conv.weight`, ...bn(prefix)]
  const igcBlock = (prefix: string) => [`${prefix}.primary.weight`, `${prefix}.secondary.weight`, ...bn(prefix)]
  const head = ['head.weight', 'head.bias']

  it('of plain', () => {
    const stages = [0, 1, 2].flatMap(s => [0, 1].flatMap(b => block(`stages.${s}.${b}`)))
    expect(Object.keys(models.plain({ depth: 8, width: 4 }).state())).toEqual([...block('stem'), ...stages, ...head])
  })

  it('of plain_igc', () => {
    const stages = [0, 1, 2].flatMap(s => [0, 1].flatMap(b => igcBlock(`stages.${s}.${b}`)))
    const net = models.plainIgc({ depth: 8, ...igc })
    expect(Object.keys(net.state())).toEqual([...block('stem'), ...stages, ...head])
  })

  it.each([
    ['resnet', models.resnet({ depth: 14, width: 4 }), block],
    ['resnet_igc', models.resnetIgc({ depth: 14, ...igc }), igcBlock],
  ] as const)('of %s', (_, net, layer) => {
    const stages = [0, 1, 2].flatMap(s =>
      [0, 1].flatMap(u => {
        const layers = [0, 1].flatMap(i => layer(`stages.${s}.${u}.layers.${i}`))
        return s > 0 && u === 0 ? [...layers, ...block(`stages.${s}.${u}.shortcut`)] : layers
      }),
    )
    expect(Object.keys(net.state())).toEqual([...block('stem'), ...stages, ...head])
  })

  it('of Sequential are positions', () => {
    const net = new nn.Sequential(
      new nn.Conv2d({ inChannels: 3, outChannels: 4, kernel: 1 }),
      new nn.ReLU(),
      new nn.Sequential(new nn.BatchNorm2d({ channels: 4 }), new nn.GlobalAvgPool2d()),
      new nn.Linear({ inFeatures: 4, outFeatures: 2 }),
    )
    expect(Object.keys(net.state())).toEqual(['0.weight', ...names('2.0', ...norm), '3.weight', '3.bias'])
    expect(net.forward(zeros([2, 3, 3, 3])).shape).toEqual([2, 2])
  })
})

/** A module of one's own. */
class Custom extends nn.Module<Tensor<readonly [1], 'f32'>, Tensor<readonly [1], 'f32'>> {
  readonly gain = nn.parameter(() => ones([1]))
  readonly frozen = ones([2])
  readonly list = [nn.parameter(() => ones([3])), [ones([4])]]
  readonly blocks = [[new nn.Linear({ inFeatures: 1, outFeatures: 1 })], []]
  readonly same = this.gain
  readonly options = { weight: zeros([9]), note: 'not looked into' }
  readonly nothing = undefined
  readonly size = 3
  last: Tensor | undefined
  readonly #hidden = zeros([8])

  forward(x: Tensor<readonly [1], 'f32'>): Tensor<readonly [1], 'f32'> {
    this.last = relu(this.gain)
    return this.#hidden.disposed ? x : relu(x)
  }
}

describe('properties', () => {
  it('hold tensors and modules, also in arrays', () => {
    const net = new Custom()
    const linear = names('blocks.0.0', 'weight', 'bias')
    expect(Object.keys(net.state())).toEqual(['gain', 'frozen', 'list.0', 'list.1.0', 'same', ...linear])
    expect(net.namedChildren().map(([name]) => name)).toEqual(['blocks.0.0'])
    expect(Array.from(net.namedModules(), ([name]) => name)).toEqual(['', 'blocks.0.0'])
  })

  it('give every parameter once, under its first name, and the results of ops never', () => {
    const net = new Custom()
    net.forward(zeros([1]))
    expect(net.last?.requiresGrad).toBe(true)
    expect(net.namedParameters().map(([name]) => name)).toEqual([
      'gain',
      'list.0',
      'blocks.0.0.weight',
      'blocks.0.0.bias',
    ])
    expect(net.parameters()).toEqual(net.namedParameters().map(([, value]) => value))
    expect(net.parameters()[0]).toBe(net.gain)
    expect(Object.keys(net.state())).not.toContain('last')
    optim.sgd(net.parameters(), { lr: 0.1 })
  })

  it('give the tensors themselves, not copies', () => {
    const layer = new nn.BatchNorm2d({ channels: 2 })
    expect(layer.state().runningMean).toBe(layer.runningMean)
    expect(layer.parameters()).toEqual([layer.weight, layer.bias])
  })

  it('that are frozen are no parameters any more', () => {
    const layer = new nn.Linear({ inFeatures: 2, outFeatures: 2 })
    layer.weight.requiresGrad = false
    expect(layer.namedParameters().map(([name]) => name)).toEqual(['bias'])
    expect(Object.keys(layer.state())).toEqual(['weight', 'bias'])
  })
})

describe('loadState', () => {
  const make = (seed: number) => models.plainIgc({ depth: 5, primaryPartitions: 2, secondaryPartitions: 2, seed })
  const values = (net: nn.Module<never, never> | models.Network) =>
    Object.fromEntries(Object.entries(net.state()).map(([name, value]) => [name, value.dataSync()]))

  it('makes two networks equal, and keeps them apart', () => {
    const [from, to] = [make(1), make(2)]
    const weight = to.head.weight
    to.loadState(from.state())
    expect(values(to)).toEqual(values(from))
    expect(to.head.weight).toBe(weight)
    from.head.weight.assign(new Float32Array(from.head.weight.size))
    expect(values(to)['head.weight']).not.toEqual(values(from)['head.weight'])
    expect(to.parameters().every(parameter => parameter.requiresGrad)).toBe(true)
  })

  it('converts between devices and dtypes', () => {
    const from = make(1)
    const to = models.plainIgc({
      depth: 5,
      primaryPartitions: 2,
      secondaryPartitions: 2,
      dtype: 'f64',
      device: 'reference',
    })
    to.loadState(from.state())
    expect(String(to.head.weight)).toBe('Tensor [10, 16] f64 on reference')
    expect(Array.from(to.head.weight.dataSync())).toEqual(Array.from(from.head.weight.dataSync()))
  })

  it('leaves nothing behind', () => {
    const [from, to] = [make(1), make(2)]
    const before = bytesInUse()
    to.loadState(from.state())
    expect(bytesInUse()).toBe(before)
  })

  it.each<[string, (state: nn.State) => nn.State, string, string]>([
    [
      'one too few',
      ({ 'head.bias': _, ...rest }) => rest,
      'DataError',
      'loadState: expected the 25 tensors of this network but received 1 too few (head.bias) and 0 unknown ()',
    ],
    [
      'one too many',
      state => ({ ...state, toString: zeros([1]) }),
      'DataError',
      'loadState: expected the 25 tensors of this network but received 0 too few () and 1 unknown (toString)',
    ],
    [
      'those of another network',
      () => models.resnet({ depth: 8, width: 4 }).state(),
      'DataError',
      'loadState: expected the 25 tensors of this network but received 18 too few (stages.0.0.primary.weight, ' +
        'stages.0.0.secondary.weight, stages.0.0.bn.weight, stages.0.0.bn.bias, stages.0.0.bn.runningMean, …) and 40 ' +
        'unknown (stages.0.0.layers.0.conv.weight, stages.0.0.layers.0.bn.weight, stages.0.0.layers.0.bn.bias, ' +
        'stages.0.0.layers.0.bn.runningMean, stages.0.0.layers.0.bn.runningVar, …)',
    ],
    [
      'one of another shape',
      state => ({ ...state, 'head.bias': zeros([11]) }),
      'ShapeError',
      'loadState: expected head.bias [10] but received [11]',
    ],
    [
      'one that was disposed of',
      state => {
        const gone = zeros([10])
        gone.dispose()
        return { ...state, 'head.bias': gone }
      },
      'DisposedError',
      'loadState: expected live tensors for head.bias but received a disposed one',
    ],
    [
      'one that is no tensor',
      state => ({ ...state, 'head.bias': [1] as unknown as Tensor }),
      'TypeError',
      'loadState: expected a tensor for head.bias but received 1',
    ],
  ])('refuses %s and changes nothing', (_, change, name, message) => {
    const net = make(1)
    const before = values(net)
    expect(() => net.loadState(change(make(2).state()))).toThrow(expect.objectContaining({ name, message }))
    expect(values(net)).toEqual(before)
  })

  it('changes nothing when a source cannot be read', () => {
    const net = make(1)
    const before = values(net)
    const { 'stem.conv.weight': first, 'head.bias': last, ...rest } = make(2).state() as Record<string, Tensor>
    using wide = tensor([...(last as Tensor).dataSync()], [10], { dtype: 'f64', device: 'reference' })
    const failure = new Error('gone')
    vi.spyOn(wide, 'dataSync').mockImplementation(() => {
      throw failure
    })
    const held = bytesInUse()
    expect(() => net.loadState({ 'stem.conv.weight': first as Tensor, ...rest, 'head.bias': wide })).toThrow(failure)
    expect(bytesInUse()).toBe(held)
    expect(values(net)).toEqual(before)
  })
})

describe('modes', () => {
  it('reach every module below', () => {
    const net = models.resnetIgc({ depth: 8, primaryPartitions: 2, secondaryPartitions: 2 })
    const modes = () => new Set(Array.from(net.namedModules(), ([, module]) => module.training))
    expect(modes()).toEqual(new Set([true]))
    expect(net.eval()).toBe(net)
    expect(modes()).toEqual(new Set([false]))
    expect(net.train()).toBe(net)
    expect(modes()).toEqual(new Set([true]))
    net.train(false)
    expect(modes()).toEqual(new Set([false]))
  })

  it('decide what batch norm uses and changes', () => {
    const layer = new nn.BatchNorm2d({ channels: 1, momentum: 0.75, epsilon: 0 })
    const x = tensor([1, 3, 5, 7], [4, 1, 1, 1])
    expect(layer.eval().forward(x).dataSync()).toEqual(Float32Array.of(1, 3, 5, 7))
    expect([layer.runningMean.dataSync()[0], layer.runningVar.dataSync()[0]]).toEqual([0, 1])
    const normalised = [-3, -1, 1, 3].map(value => value / Math.sqrt(5))
    layer
      .train()
      .forward(x)
      .dataSync()
      .forEach((value, i) => {
        expect(value).toBeCloseTo(normalised[i] as number, 6)
      })
    expect([layer.runningMean.dataSync()[0], layer.runningVar.dataSync()[0]]).toEqual([1, 2]) // 4 / 4; 3 / 4 + 5 / 4
    layer.eval().forward(tensor([1], [1, 1, 1, 1]))
    expect(layer.runningMean.dataSync()[0]).toBe(1)
  })
})

describe('Sequential', () => {
  it('frees what its layers hand on', () => {
    const net = new nn.Sequential(new nn.ReLU(), new nn.AvgPool2d({ kernel: 2 }), new nn.ReLU())
    const x = ones([1, 4, 4, 2])
    const before = bytesInUse()
    const y = net.forward(x)
    expect(x.disposed).toBe(false)
    y.dispose()
    expect(bytesInUse()).toBe(before)
  })

  it('of a class of its own holds what its properties do, each once', () => {
    class Net extends nn.Sequential {
      readonly head = new nn.Linear({ inFeatures: 2, outFeatures: 1 })
      readonly stem = this.layers[0]
      readonly inner = (this.layers[1] as nn.Sequential).layers[0]
      readonly heads = [this.head, new nn.Linear({ inFeatures: 1, outFeatures: 1 })]
    }
    const linear = () => new nn.Linear({ inFeatures: 2, outFeatures: 2 })
    const net = new Net(linear(), new nn.Sequential(linear()))
    const heads = ['head', 'heads.0', 'heads.1']
    expect(Object.keys(net.state())).toEqual(['0', '1.0', ...heads].flatMap(name => names(name, 'weight', 'bias')))
    expect(net.parameters().length).toBe(8)
  })

  it('of no layers gives its input back', () => {
    const x = zeros([1])
    expect(new nn.Sequential().forward(x)).toBe(x)
  })
})

describe('dispose', () => {
  it('frees parameters, buffers and gradients', () => {
    const before = bytesInUse()
    const net = models.resnetIgc({ depth: 8, primaryPartitions: 2, secondaryPartitions: 2 })
    {
      using _ = scope()
      nn.crossEntropy(net.forward(ones([2, 8, 8, 3])), zeros([2], { dtype: 'i32' })).backward()
    }
    expect(bytesInUse()).toBeGreaterThan(before)
    net.dispose()
    expect(Object.values(net.state()).every(value => value.disposed)).toBe(true)
    expect(bytesInUse()).toBe(before)
    expect(() => net.forward(ones([2, 8, 8, 3]))).toThrow(
      'tensor: expected a live tensor but received one [4, 3, 3, 3] that was disposed of',
    )
  })

  it('happens at the end of a block with using', () => {
    let weight: Tensor
    {
      using layer = new nn.Linear({ inFeatures: 2, outFeatures: 2 })
      weight = layer.weight
    }
    expect(weight.disposed).toBe(true)
  })
})
