/** Batch norms that are left to their neighbours: what runs, what is kept, what is freed. Gradients: test/gradcheck. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { add, device, type Images, models, nn, noGrad, ones, optim, scope, tensor } from '../../src/index.ts'
import { type NativeTensor, native } from '../../src/native.ts'
import { IgcBlock } from '../../src/nn/index.ts'
import { Generator } from '../../src/ops/index.ts'
import { Tensor } from '../../src/tensor.ts'

afterEach(() => vi.restoreAllMocks())

const names = [
  ...(['conv2dForward', 'conv2dFusedForward', 'conv2dFusedBackward'] as const),
  ...(['igcBlockForward', 'igcBlockBackward', 'batchNorm2dStatistics', 'batchNorm2dPrepare'] as const),
  ...(['batchNorm2dApply', 'batchNorm2dBackwardWeight', 'batchNorm2dBackwardInput'] as const),
  ...(['addForward', 'addReluForward', 'addReluBackward', 'reluForward', 'reluBackwardInput'] as const),
]

/** How often the functions above are called in `body`. */
function calls(body: () => void): Record<string, number> {
  const spies = names.map(name => vi.spyOn(native, name))
  body()
  return Object.fromEntries(names.map((name, i) => [name, spies[i]?.mock.calls.length ?? 0]))
}

const labels = () => tensor([1, 0], [2], { dtype: 'i32' })
const images = () => new Generator(3).normal([2, 8, 8, 3])
const igc = { primaryPartitions: 4, secondaryPartitions: 2, classes: 3 }

describe('a step of training', () => {
  it('of plain_igc makes no pass for batch norm or ReLU between its blocks', () => {
    using _ = scope()
    const net = models.plainIgc({ depth: 11, ...igc })
    const [x, truth] = [images(), labels()]
    expect(calls(() => nn.crossEntropy(net.forward(x), truth).backward())).toEqual({
      ...{ conv2dForward: 1, conv2dFusedForward: 0, conv2dFusedBackward: 0 }, // the stem
      igcBlockForward: 9,
      igcBlockBackward: 9,
      batchNorm2dStatistics: 1, // of the stem, whose few images oneDNN convolves
      batchNorm2dPrepare: 10, // [C] only
      batchNorm2dApply: 1, // of the last block, for the pool
      batchNorm2dBackwardWeight: 1, // likewise
      batchNorm2dBackwardInput: 1, // of the stem
      ...{ addForward: 0, addReluForward: 0, addReluBackward: 0, reluForward: 0, reluBackwardInput: 0 },
    })
    net.dispose()
  })

  it('of resnet_igc makes one for each sum', () => {
    using _ = scope()
    const net = models.resnetIgc({ depth: 8, ...igc })
    const [x, truth] = [images(), labels()]
    expect(calls(() => nn.crossEntropy(net.forward(x), truth).backward())).toMatchObject({
      igcBlockForward: 6,
      igcBlockBackward: 6,
      batchNorm2dStatistics: 1, // of the stem, whose few images oneDNN convolves
      batchNorm2dApply: 0,
      batchNorm2dBackwardWeight: 3, // of the stem and the two projections
      addReluForward: 3,
      addReluBackward: 1, // of the last unit: the others' are made by the layer or projection that used the sum last
      reluForward: 0,
      reluBackwardInput: 0,
      addForward: 1, // gradients that meet at the stem; others do beside those
    })
    net.dispose()
  })

  it('of a regular network makes none where the device has kernels for it', () => {
    using _ = scope()
    const place = { dtype: 'f64', device: 'reference' } as const // `cpu` does from some size on, with some vectors
    const net = models.plain({ depth: 8, width: 4, classes: 3, ...place })
    const [x, truth] = [new Generator(3).normal([2, 8, 8, 3], place), tensor([1, 0], [2], { ...place, dtype: 'i32' })]
    expect(calls(() => nn.crossEntropy(net.forward(x), truth).backward())).toEqual({
      ...{ conv2dForward: 0, conv2dFusedForward: 7, conv2dFusedBackward: 7 },
      ...{ igcBlockForward: 0, igcBlockBackward: 0, batchNorm2dStatistics: 0, batchNorm2dPrepare: 7 },
      batchNorm2dApply: 1, // of the last layer, for the pool
      batchNorm2dBackwardWeight: 1, // likewise
      batchNorm2dBackwardInput: 0,
      ...{ addForward: 0, addReluForward: 0, addReluBackward: 0, reluForward: 0, reluBackwardInput: 0 },
    })
    net.dispose()
  })

  it.each([
    { maps: 1, channels: 8, what: 'its input' },
    { maps: 2, channels: 16, what: 'the map that is dear to make again, too' },
  ])('saves $maps map(s) for each block of $channels channels: $what', ({ maps, channels }) => {
    using _ = scope()
    const x = ones([4, 16, 16, channels])
    const make = () =>
      new IgcBlock({
        inChannels: channels,
        outChannels: channels,
        primaryPartitions: 4,
        generator: new Generator(1),
      })
    const blocks = Array.from({ length: 5 }, make)
    const before = device.memory().bytesInUse
    let y: Images = x
    for (const block of blocks) {
      const next = block.forward(y)
      if (y !== x) y.dispose()
      y = next
    }
    const map = 4 * 4 * 16 * 16 * channels
    const used = device.memory().bytesInUse - before
    expect(used).toBeGreaterThanOrEqual(5 * maps * map)
    expect(used).toBeLessThan(5.3 * maps * map)
    y.dispose()
    expect(device.memory().bytesInUse).toBe(before)
    for (const block of blocks) block.dispose()
  })

  it('puts the gradient of its input where that of its output was, unless somebody shares it', () => {
    using _ = scope()
    const shape = [16, 8, 8, 8] as const
    const [x, primary, secondary] = [ones(shape).handle, ones([8, 3, 3, 4]).handle, ones([8, 1, 1, 2]).handle]
    const p = { primaryPartitions: 2, secondaryPartitions: 4, stride: 1, padding: 1, xRelu: false }
    const needs = { yRelu: false, yTraining: false, needsInput: true, needsPrimary: false, needsSecondary: false }
    const backward = (dy: NativeTensor, overwriteDy: boolean) => {
      const before = device.memory().bytesInUse
      const { dx } = native.igcBlockBackward(dy, x, primary, secondary, { ...p, ...needs, overwriteDy })
      const more = device.memory().bytesInUse - before
      return { more, values: new Tensor(dx as NativeTensor).dataSync() }
    }
    const map = 4 * 16 * 8 * 8 * 8
    const dy = new Generator(5).normal(shape)
    const given = dy.dataSync()
    const share = native.tensorRetain(dy.handle)
    const [asked, beside] = [backward(dy.handle, true), backward(dy.handle, false)]
    expect(dy.dataSync()).toEqual(given) // it was shared
    native.tensorDispose(share)
    const over = backward(dy.handle, true)
    expect([asked.more, beside.more, over.more]).toEqual([map, map, 0])
    expect(new Set(beside.values).size).toBeGreaterThan(1000)
    expect([asked.values, over.values]).toEqual([beside.values, beside.values])
    expect(dy.dataSync()).toEqual(over.values) // and now lies there
  })

  it('takes the kept map, and makes it again where it is not given', () => {
    using _ = scope()
    const [x, dy] = [ones([1, 4, 4, 8]).handle, ones([1, 4, 4, 8]).handle]
    const [primary, secondary] = [ones([8, 3, 3, 4]).handle, ones([8, 1, 1, 2]).handle]
    const p = { primaryPartitions: 2, secondaryPartitions: 4, stride: 1, padding: 1, xRelu: false }
    const { y, z } = native.igcBlockForward(x, primary, secondary, { ...p, needsStatistics: false, needsZ: true })
    const behind = { yRelu: false, yTraining: false, overwriteDy: false }
    const needs = { ...behind, needsInput: false, needsPrimary: false, needsSecondary: true }
    const gradient = (z?: NativeTensor) => {
      const around = [undefined, undefined, undefined, undefined, undefined, z] as const
      const { secondary: dw } = native.igcBlockBackward(dy, x, primary, secondary, { ...p, ...needs }, ...around)
      return new Tensor(dw as NativeTensor).dataSync()
    }
    const kept = z as NativeTensor
    expect(gradient(kept)).toEqual(gradient())
    native.fill(kept, { value: 0 })
    expect(new Set(gradient(kept))).toEqual(new Set([0]))
    expect(new Set(gradient())).not.toContain(0)
    for (const handle of [y, kept]) native.tensorDispose(handle)
  })

  it('leaves memory as it was, step after step, without a scope', () => {
    for (const net of [models.plainIgc({ depth: 8, ...igc }), models.resnetIgc({ depth: 8, ...igc })]) {
      const [x, truth, sgd] = [images(), labels(), optim.sgd(net.parameters(), { lr: 0.01, momentum: 0.9 })]
      const step = () => {
        const logits = net.forward(x)
        const loss = nn.crossEntropy(logits, truth)
        loss.backward()
        sgd.step()
        for (const made of [logits, loss]) made.dispose()
        return device.memory().bytesInUse
      }
      const first = step()
      for (let i = 0; i < 5; i++) expect(step()).toBe(first)
      for (const thing of [x, truth, sgd, net]) thing.dispose()
    }
  })
})

describe('inference', () => {
  it('applies the running statistics as it goes, and keeps nothing', () => {
    using _ = scope()
    const net = models.plainIgc({ depth: 8, ...igc }).eval()
    const x = images()
    const before = device.memory().bytesInUse
    const count = calls(() => noGrad(() => net.forward(x).dispose()))
    expect(count).toMatchObject({ igcBlockForward: 6, batchNorm2dStatistics: 0, batchNorm2dApply: 1, reluForward: 0 })
    expect(device.memory().bytesInUse).toBe(before)
    net.dispose()
  })
})

describe('a result that is not carried out', () => {
  const block = new IgcBlock({ inChannels: 4, outChannels: 4, primaryPartitions: 2, generator: new Generator(7) })
  const x = new Generator(8).normal([2, 3, 3, 4])
  const make = () => block.forward(x)
  const values = (y: Tensor) => Array.from(y.dataSync())
  const expected = values(make())

  it('is carried out once, by the first who reads it', async () => {
    using y = make()
    expect(y.deferred).toBeDefined()
    const { batchNorm2dApply } = calls(() => {
      expect(values(y)).toEqual(expected)
      expect(values(y)).toEqual(expected)
    })
    expect(batchNorm2dApply).toBe(1)
    expect(y.deferred).toBeUndefined()
    expect(Array.from(await y.data())).toEqual(expected)
    using z = make()
    expect(Array.from(await z.data())).toEqual(expected)
    expect(Math.min(...expected)).toBe(0)
  })

  it('has the shape, dtype and device of what it will be', () => {
    using y = make()
    expect(String(y)).toBe('Tensor [2, 3, 3, 4] f32 on cpu')
    expect([y.size, y.disposed, y.requiresGrad, y.isLeaf, y.deferred === undefined]).toEqual([
      72,
      false,
      true,
      false,
      false,
    ])
  })

  it('is freed by dispose(), by its scope, and lives on when it is kept', () => {
    const before = device.memory().bytesInUse
    make().dispose()
    expect(device.memory().bytesInUse).toBe(before)
    let kept: Images
    {
      using inner = scope()
      make()
      kept = inner.keep(make())
    }
    expect(values(kept)).toEqual(expected)
    kept.dispose()
    expect(device.memory().bytesInUse).toBe(before)
    expect(() => kept.deferred).toThrow(
      'tensor: expected a live tensor but received one [2, 3, 3, 4] that was disposed of',
    )
  })

  it('shares its memory with what is detached or reshaped from it', () => {
    using y = make()
    using free = y.detach()
    expect(y.deferred).toBeUndefined()
    expect([values(free), free.requiresGrad]).toEqual([expected, false])
    using flat = y.reshape([72])
    free.assign(new Float32Array(72).fill(2))
    expect([...values(y), ...values(flat)].every(value => value === 2)).toBe(true)
  })

  it('is not changed by what happens to the weights and statistics that it was made of', () => {
    const net = new IgcBlock({ inChannels: 4, outChannels: 4, primaryPartitions: 2, generator: new Generator(7) })
    for (const training of [true, false]) {
      net.train(training)
      using y = net.forward(x)
      using same = net.forward(x)
      const before = values(same)
      for (const value of Object.values(net.state())) value.assign(new Float32Array(value.size).fill(3))
      expect(values(y)).toEqual(before)
    }
    net.dispose()
  })

  it('becomes a leaf that learns only when it is carried out', () => {
    const y = noGrad(make)
    y.requiresGrad = true
    expect(y.deferred).toBeUndefined()
    using other = new IgcBlock({ inChannels: 4, outChannels: 4, primaryPartitions: 2, generator: new Generator(9) })
    other.forward(y).backward(ones([2, 3, 3, 4]))
    // Also where y is 0: a ReLU would hide the gradient there.
    const gradient = y.grad?.dataSync() as Float32Array
    expect(expected.some((value, i) => value === 0 && gradient[i] !== 0)).toBe(true)
    y.dispose()
  })

  it('is added to itself', () => {
    using y = make()
    using sum = add(y, y)
    expect(values(sum)).toEqual(expected.map(value => 2 * value))
  })
})
