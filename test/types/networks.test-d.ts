/** The types of layers, networks, optimisers and data sets, and which uses do not compile. Checked by the compiler. */
import { describe, expectTypeOf, it } from 'vitest'
import { data, type FloatDType, type Images, models, nn, optim, type Tensor, zeros } from '../../src/index.ts'

declare const n: number

describe('layers', () => {
  const x = zeros([8, 32, 32, 3])

  it('know their channels', () => {
    const conv = new nn.Conv2d({ inChannels: 3, outChannels: 16, kernel: 3 })
    expectTypeOf(conv).toEqualTypeOf<nn.Conv2d<3, 16>>()
    expectTypeOf(conv.forward(x)).toEqualTypeOf<Images<8, number, number, 16, 'f32'>>()
    expectTypeOf(conv.weight).toEqualTypeOf<Tensor<readonly [16, number, number, number], FloatDType>>()
    const bn = new nn.BatchNorm2d({ channels: 16 })
    expectTypeOf(bn.forward(conv.forward(x))).toEqualTypeOf<Images<8, number, number, 16, 'f32'>>()
    const pooled = new nn.GlobalAvgPool2d().forward(bn.forward(conv.forward(x)))
    expectTypeOf(pooled).toEqualTypeOf<Tensor<readonly [8, 16], 'f32'>>()
    expectTypeOf(new nn.Linear({ inFeatures: 16, outFeatures: 10 }).forward(pooled)).toEqualTypeOf<
      Tensor<readonly [8, 10], 'f32'>
    >()
    expectTypeOf(new nn.ReLU().forward(pooled)).toEqualTypeOf<Tensor<readonly [8, 16], 'f32'>>()
    expectTypeOf(new nn.MaxPool2d({ kernel: 2 }).forward(x)).toEqualTypeOf<Images<8, number, number, 3, 'f32'>>()
  })

  it('take channels that are not known', () => {
    const conv = new nn.Conv2d({ inChannels: 3, outChannels: 16, kernel: 3 })
    conv.forward(zeros([8, 32, 32, n]))
    new nn.Conv2d({ inChannels: n, outChannels: n, kernel: 3 }).forward(x)
    new nn.BatchNorm2d({ channels: n }).forward(x)
    new nn.BatchNorm2d({ channels: 16 }).forward(zeros([1, 2, 2, n]))
    new nn.Linear({ inFeatures: 16, outFeatures: 10 }).forward(zeros([1, n]))
    expectTypeOf(new nn.ConvBlock({ inChannels: 3, outChannels: 4, kernel: 3 }).forward(x)).toEqualTypeOf<Images>()
  })

  it('do not take other channels, ranks or dtypes', () => {
    const conv = new nn.Conv2d({ inChannels: 3, outChannels: 16, kernel: 3 })
    // @ts-expect-error 4 channels for a layer of 3
    conv.forward(zeros([8, 32, 32, 4]))
    // @ts-expect-error its own result has 16
    conv.forward(conv.forward(x))
    // @ts-expect-error an image without its batch
    conv.forward(zeros([32, 32, 3]))
    // @ts-expect-error bytes: cast them first
    conv.forward(zeros([8, 32, 32, 3], { dtype: 'u8' }))
    // @ts-expect-error 16 channels for a layer of 8
    new nn.BatchNorm2d({ channels: 8 }).forward(conv.forward(x))
    // @ts-expect-error 12 features for a layer of 16
    new nn.Linear({ inFeatures: 16, outFeatures: 10 }).forward(zeros([8, 12]))
    // @ts-expect-error rows, not images
    new nn.GlobalAvgPool2d().forward(zeros([8, 16]))
    // @ts-expect-error integers
    new nn.ReLU().forward(zeros([8], { dtype: 'i32' }))
  })

  it('do not take options that make no sense', () => {
    // @ts-expect-error without its kernel
    new nn.Conv2d({ inChannels: 3, outChannels: 16 })
    // @ts-expect-error there is no bias
    new nn.Conv2d({ inChannels: 3, outChannels: 16, kernel: 3, bias: true })
    // @ts-expect-error parameters are floats
    new nn.Linear({ inFeatures: 16, outFeatures: 10, dtype: 'i32' })
    // @ts-expect-error the channels are called inChannels and outChannels
    new nn.IgcBlock({ channels: 48, primaryPartitions: 24 })
    // @ts-expect-error without a kernel
    new nn.AvgPool2d({})
    // @ts-expect-error there is no such device
    new nn.BatchNorm2d({ channels: 3, device: 'tpu' })
  })

  it('can be written by hand', () => {
    class Scale extends nn.Module<Tensor<readonly [number, 4], 'f32'>, Tensor<readonly [number, 4], 'f32'>> {
      readonly weight = nn.parameter(() => zeros([4, 4]))
      forward(x: Tensor<readonly [number, 4], 'f32'>) {
        return x
      }
    }
    expectTypeOf(new Scale().weight).toEqualTypeOf<Tensor<readonly [4, 4], 'f32'>>()
    expectTypeOf(new Scale().parameters()).toEqualTypeOf<Tensor[]>()
    expectTypeOf(new Scale().eval()).toEqualTypeOf<Scale>()
    // @ts-expect-error a module needs a forward pass
    ;new (class extends nn.Module {})()
    // @ts-expect-error integers do not learn
    nn.parameter(() => zeros([4], { dtype: 'i32' }))
  })

  it('stand in a row', () => {
    const net = new nn.Sequential<Images, Tensor<readonly [number, 10], 'f32'>>(
      new nn.GlobalAvgPool2d(),
      new nn.Linear({ inFeatures: 3, outFeatures: 10 }),
    )
    expectTypeOf(net.forward(x)).toEqualTypeOf<Tensor<readonly [number, 10], 'f32'>>()
    // @ts-expect-error rows, not images
    net.forward(zeros([8, 3]))
    // @ts-expect-error a function is no layer
    new nn.Sequential((x: Images) => x)
  })
})

describe('networks', () => {
  it('take images and give logits', () => {
    const net = models.plainIgc({ depth: 20, primaryPartitions: 24, secondaryPartitions: 2 })
    expectTypeOf(net).toExtend<models.Network>()
    expectTypeOf(net.forward(zeros([8, 32, 32, 3]))).toEqualTypeOf<Tensor<readonly [number, number], FloatDType>>()
    expectTypeOf(
      models.create('resnet_igc', { depth: 20, primaryPartitions: 24, secondaryPartitions: 2 }),
    ).toEqualTypeOf<models.Network>()
    // @ts-expect-error an image without its batch
    net.forward(zeros([32, 32, 3]))
    // @ts-expect-error labels are no images
    net.forward(zeros([8], { dtype: 'i32' }))
  })

  it('do not take options that make no sense', () => {
    // @ts-expect-error without its depth
    models.plain({ width: 16 })
    // @ts-expect-error regular networks have a width
    models.resnet({ depth: 20, primaryPartitions: 24, secondaryPartitions: 2 })
    // @ts-expect-error IGC networks have partitions
    models.plainIgc({ depth: 20, width: 48 })
    // @ts-expect-error only resnet_igc has the quirk
    models.plainIgc({ depth: 20, primaryPartitions: 24, secondaryPartitions: 2, consistent: true })
    // @ts-expect-error there is no such network
    models.create('densenet', { depth: 20, primaryPartitions: 24, secondaryPartitions: 2 })
    // @ts-expect-error by name too, there are partitions
    models.create('plain', { depth: 20, width: 16 })
    // @ts-expect-error a depth is a number
    models.plain({ depth: '20', width: 16 })
  })
})

describe('optimisers', () => {
  const net = new nn.Linear({ inFeatures: 2, outFeatures: 2 })

  it('take parameters and options', () => {
    expectTypeOf(optim.sgd(net.parameters(), { lr: 0.1, momentum: 0.9, nesterov: true })).toEqualTypeOf<optim.Sgd>()
    expectTypeOf(optim.cosine({ lr: 0.1, epochs: 10 })).toEqualTypeOf<optim.Schedule>()
    expectTypeOf(optim.multiStep({ lr: 0.1, steps: [1, 2] })(1.5)).toEqualTypeOf<number>()
  })

  it('do not take what makes no sense', () => {
    // @ts-expect-error without a learning rate
    optim.sgd(net.parameters(), {})
    // @ts-expect-error parameters, not the network
    optim.sgd(net, { lr: 0.1 })
    // @ts-expect-error misspelt
    optim.sgd(net.parameters(), { lr: 0.1, weight_decay: 1e-4 })
    // @ts-expect-error velocities are tensors
    optim.sgd(net.parameters(), { lr: 0.1 }).loadState([1])
    // @ts-expect-error without epochs
    optim.cosine({ lr: 0.1 })
    // @ts-expect-error the option is called steps
    optim.multiStep({ lr: 0.1, milestones: [1] })
  })
})

describe('data sets', () => {
  it('give batches that networks and losses take', async () => {
    const train = data.digits({ split: 'train', batchSize: 64 })
    const net = models.plain({ depth: 8, width: 4 })
    for await (const { images, labels } of train) {
      expectTypeOf(images).toExtend<Images<number, 32, 32, 3, 'f32'>>()
      expectTypeOf(labels).toExtend<Tensor<readonly [number], 'i32'>>()
      expectTypeOf(nn.crossEntropy(net.forward(images), labels).item()).toEqualTypeOf<Promise<number>>()
      new nn.Conv2d({ inChannels: 3, outChannels: 16, kernel: 3 }).forward(images)
      // @ts-expect-error three channels
      new nn.Conv2d({ inChannels: 1, outChannels: 16, kernel: 3 }).forward(images)
      // @ts-expect-error the other way round
      nn.crossEntropy(labels, net.forward(images))
    }
  })

  it('do not take options that make no sense', () => {
    // @ts-expect-error which part must be said
    data.digits({ batchSize: 64 })
    // @ts-expect-error there is no such part
    data.digits({ split: 'validation', batchSize: 64 })
    // @ts-expect-error without a batch size
    data.cifar10({ split: 'train', root: 'cifar' })
  })
})
