/**
 * The residual networks of 18 layers for ImageNet (Zhang et al. 2017, section 5.4; the authors' network/resnet_imgnet_d18.py
 * and resnet_igc_imgnet_d18.py and their published graphs).
 *
 *   stem     conv7x7 stride 2, BN, ReLU; max pool 3x3 stride 2
 *   stages   4 of two units, at 56, 28, 14 and 7 pixels; the first unit of stages 2 to 4 has stride 2
 *   unit     two layers, the second without ReLU; + shortcut; ReLU
 *   shortcut identity, or where the width changes conv1x1 - BN (grouped by L in the IGC networks)
 *   head     global average pool, linear
 *
 * The IGC networks have two rules of growth. M doubles, L stays (IGC-L4M32, L16M16): stem and stage 1 have L*M channels.
 * L doubles, M stays (IGC-L100M2): stage 1 has twice the channels of the stem, so its first unit has a projection, too.
 * QUIRK: the authors' script makes the second kind only, and its secondary partition counts half: IGC-L100M2 is
 * `--primary-partition 100 --secondary-partition 1` (stem of 100 channels, 200 in stage 1). Here likewise.
 * The frame `cifar`, for 32x32 images, is ours: a stem of conv3x3 without stride and pool, the rest the same.
 * Counts are checked in test/unit/model-counts.test.ts, values in test/golden.
 */
import { ConvBlock, GlobalAvgPool2d, IgcBlock, Linear, MaxPool2d, Module } from '../nn/index.ts'
import { forwardAll } from '../nn/sequential.ts'
import { Generator, type Images } from '../ops/index.ts'
import { scope } from '../scope.ts'
import type { FloatDType, Tensor } from '../tensor.ts'
import { type CommonOptions, checkCount, checkFrame, type Frame, type Growth } from './options.ts'
import { type Kit, Unit } from './residual-unit.ts'

/** Units of each stage, and how much wider each stage is than the first: 2 * 4 * 2 layers + stem + head = 18. */
const UNITS = 2
const GROWTH = [1, 2, 4, 8]
const DEPTH = 18

/** Sizes of `resnetImgnetD18`. */
export interface ImageNetOptions extends CommonOptions {
  /** The only one there is: 18. */
  depth?: number
  /** Default: imagenet, 224x224. */
  frame?: Frame
}

interface Widths {
  /** The network, for errors. */
  name: string
  stem: number
  /** Of the first stage. */
  stage: number
}

/** x [N, 224, 224, 3] (or 32x32 in the frame `cifar`) to logits [N, classes]. */
export class ResNetImageNet extends Module<Images, Tensor<readonly [number, number], FloatDType>> {
  readonly stem: ConvBlock
  readonly stemPool: MaxPool2d | undefined
  readonly stages: readonly (readonly Unit[])[]
  readonly pool = new GlobalAvgPool2d()
  readonly head: Linear

  /** @internal Use `resnetImgnetD18` or `resnetIgcImgnetD18`. */
  constructor(options: ImageNetOptions, { name, stem, stage }: Widths, kitOf: (stage: number) => Kit) {
    super()
    const { classes = 1000, depth = DEPTH, frame = 'imagenet' } = options
    if (depth !== DEPTH) throw new RangeError(`${name}: expected a depth of 18 but received ${depth}`)
    checkFrame(frame)
    checkCount('classes', classes)
    const first = frame === 'imagenet' ? { kernel: 7, stride: 2, padding: 3 } : { kernel: 3, padding: 1 }
    this.stem = new ConvBlock({ ...options, ...first, inChannels: 3, outChannels: stem })
    this.stemPool = frame === 'imagenet' ? new MaxPool2d({ kernel: 3, stride: 2, padding: 1 }) : undefined
    this.stages = GROWTH.map((growth, s) => {
      const [kit, outChannels] = [kitOf(s), stage * growth]
      const before = s === 0 ? stem : outChannels / 2
      return Array.from({ length: UNITS }, (_, u) =>
        u === 0 ? new Unit(kit, before, outChannels, s === 0 ? 1 : 2) : new Unit(kit, outChannels, outChannels, 1),
      )
    })
    this.head = new Linear({ ...options, inFeatures: stage * 8, outFeatures: classes })
  }

  forward(x: Images): Tensor<readonly [number, number], FloatDType> {
    using inner = scope()
    const stem = this.stemPool === undefined ? [this.stem] : [this.stem, this.stemPool]
    const layers = [...stem, ...this.stages.flat(), this.pool, this.head]
    return inner.keep(forwardAll(layers, x) as Tensor<readonly [number, number], FloatDType>)
  }
}

/** Regular convolutions: ResNet (C = `width`) of the paper, 64 and 69 there. Batch-norm momentum 0.9. @throws RangeError */
export function resnetImgnetD18(options: ImageNetOptions & { width: number }): ResNetImageNet {
  const { width } = options
  checkCount('width', width)
  const shared = { ...options, generator: options.generator ?? new Generator(options.seed) }
  return new ResNetImageNet(shared, { name: 'resnet_imgnet_d18', stem: width, stage: width }, () => ({
    layer: (inChannels, outChannels, stride, relu) =>
      new ConvBlock({ ...shared, inChannels, outChannels, stride, relu, kernel: 3, padding: 1 }),
    projection: (inChannels, outChannels, stride) =>
      new ConvBlock({ ...shared, inChannels, outChannels, stride, relu: false, kernel: 1 }),
  }))
}

/** Sizes of `resnetIgcImgnetD18`. */
export interface IgcImageNetOptions extends ImageNetOptions {
  /** L in the first stage. */
  primaryPartitions: number
  /** M in the first stage; half of M when L doubles, as in the authors' script. */
  secondaryPartitions: number
  /** Which of the two doubles with the width. Default: L, as in the authors' script. */
  growth?: Growth
}

/** Interleaved group convolutions: IGC-L<L>M<M>+Ident. of the paper's ImageNet table. @throws RangeError */
export function resnetIgcImgnetD18(options: IgcImageNetOptions): ResNetImageNet {
  const { primaryPartitions, secondaryPartitions, growth = 'L' } = options
  checkCount('primaryPartitions', primaryPartitions)
  checkCount('secondaryPartitions', secondaryPartitions)
  if (growth !== 'L' && growth !== 'M')
    throw new RangeError(`network: expected L or M for growth but received ${growth}`)
  const { secondaryPartitions: _, ...rest } = options
  const shared = { ...rest, generator: options.generator ?? new Generator(options.seed) }
  const stem = primaryPartitions * secondaryPartitions
  const stage = growth === 'L' ? 2 * stem : stem
  return new ResNetImageNet(shared, { name: 'resnet_igc_imgnet_d18', stem, stage }, s => {
    const groups = growth === 'L' ? primaryPartitions * (GROWTH[s] as number) : primaryPartitions
    return {
      layer: (inChannels, outChannels, stride, relu) =>
        new IgcBlock({ ...shared, primaryPartitions: groups, inChannels, outChannels, stride, relu }),
      projection: (inChannels, outChannels, stride) =>
        new ConvBlock({ ...shared, inChannels, outChannels, stride, groups, relu: false, kernel: 1 }),
    }
  })
}
