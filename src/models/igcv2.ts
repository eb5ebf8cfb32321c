/**
 * IGCV2, interleaved structured sparse convolutions (Xie et al. 2018): a channel-wise 3x3 convolution, then pointwise
 * convolutions in groups of K channels with permutations between them, as many as it takes until every output channel
 * depends on every input channel: ceil(log_K C). The frames of plain.ts and resnet.ts, and that of MobileNetV1.
 *
 *   block    spatial C groups; [pointwise C/K groups, Reorder(C/K)] ..., pointwise C/K groups; BN; ReLU
 *
 * In the MobileNetV1 frame (Howard et al. 2017) the pointwise convolutions alone are replaced: depthwise 3x3 - BN - ReLU -
 * grouped pointwise ones - BN - ReLU. The paper does not say how its ImageNet networks differ from this; its multiply-adds
 * are larger. The projections of the residual frame are channel-wise; the paper does not say.
 * Density and counts: test/unit/model-counts.test.ts; values: test/golden.
 */
import {
  type BlockOptions,
  Conv2d,
  ConvBlock,
  Dropout,
  GlobalAvgPool2d,
  Linear,
  Module,
  type ModuleOptions,
} from '../nn/index.ts'
import { forwardAll } from '../nn/sequential.ts'
import { Generator, type Images, reorder } from '../ops/index.ts'
import { scope } from '../scope.ts'
import type { FloatDType, Tensor } from '../tensor.ts'
import {
  type CommonOptions,
  checkCount,
  checkFrame,
  checkMultiplier,
  type Frame,
  type RegularNetworkOptions,
} from './options.ts'
import { Plain, plainDefaults } from './plain.ts'
import { ResNet } from './resnet.ts'

interface BlockSizes extends ModuleOptions, BlockOptions {
  inChannels: number
  outChannels: number
  /** K: channels in a group of the pointwise convolutions; divides the channels. */
  groupChannels: number
  stride?: number
}

/** The paper's number of pointwise layers: the least n with K^n of at least C channels. */
export function pointwiseDepth(channels: number, groupChannels: number): number {
  let [depth, reached] = [1, groupChannels]
  while (reached < channels && groupChannels > 1) {
    reached *= groupChannels
    depth++
  }
  return depth
}

/**
 * 1x1 convolutions in groups of K channels with Reorder(C/K) between them, batch norm and ReLU behind the last; the first
 * one changes the width. x [N, H, W, C] to [N, H, W, K].
 */
export class PointwiseChain extends Module {
  readonly layers: readonly (Conv2d | ConvBlock)[]
  readonly groupChannels: number

  /** @throws RangeError when K does not divide the channels, or the groups of the first layer do not divide outChannels */
  constructor(options: BlockSizes) {
    super()
    const { inChannels, outChannels, groupChannels } = options
    if (inChannels % groupChannels !== 0 || outChannels % groupChannels !== 0) {
      throw new RangeError(
        `igcv2: expected channels divisible by ${groupChannels} (groupChannels) but received ${inChannels} in and ${outChannels} out`,
      )
    }
    if (outChannels % (inChannels / groupChannels) !== 0) {
      throw new RangeError(
        `igcv2: expected out-channels divisible by ${inChannels / groupChannels} (groups of ${groupChannels} of ${inChannels} channels) but received ${outChannels}`,
      )
    }
    this.groupChannels = groupChannels
    const depth = pointwiseDepth(outChannels, groupChannels)
    this.layers = Array.from({ length: depth }, (_, i) => {
      const channels = i === 0 ? inChannels : outChannels
      const layer = { ...options, inChannels: channels, stride: 1, kernel: 1, groups: channels / groupChannels }
      return i === depth - 1 ? new ConvBlock(layer) : new Conv2d(layer)
    })
  }

  forward(x: Images): Images {
    using inner = scope()
    let y = x
    for (const [i, layer] of this.layers.entries()) {
      y = layer.forward(i === 0 ? y : reorder(y, { factor: (y.shape[3] as number) / this.groupChannels }))
    }
    return inner.keep(y)
  }
}

/** Channel-wise 3x3 convolution and pointwise chain: one layer. x [N, H, W, C] to [N, P, Q, K]. */
export class Igcv2Block extends Module {
  readonly spatial: Conv2d
  readonly pointwise: PointwiseChain

  constructor(options: BlockSizes) {
    super()
    const { inChannels, outChannels } = options
    this.spatial = new Conv2d({ ...options, kernel: 3, padding: 1, groups: inChannels })
    this.pointwise = new PointwiseChain({ ...options, inChannels: outChannels })
  }

  forward(x: Images): Images {
    using inner = scope()
    return inner.keep(this.pointwise.forward(this.spatial.forward(x)))
  }
}

/** Sizes of `igcv2` and `resnetIgcv2`. */
export interface Igcv2Options extends RegularNetworkOptions {
  /** K: channels in a group of the pointwise convolutions. Default: 8, the paper's. */
  groupChannels?: number
}

function checked({ width, groupChannels = 8 }: Igcv2Options): { groupChannels: number } {
  checkCount('width', width)
  checkCount('groupChannels', groupChannels)
  return { groupChannels }
}

/** The frame of `plain`. Batch-norm momentum 0.99. @throws RangeError */
export function igcv2(options: Igcv2Options): Plain {
  const shared = { ...plainDefaults(options), ...checked(options) }
  return new Plain(
    shared,
    options.width,
    (inChannels, outChannels, stride) => new Igcv2Block({ ...shared, inChannels, outChannels, stride }),
  )
}

/** The frame of `resnet`. Batch-norm momentum 0.9. @throws RangeError */
export function resnetIgcv2(options: Igcv2Options): ResNet {
  const generator = options.generator ?? new Generator(options.seed)
  const shared = { ...options, ...checked(options), generator }
  return new ResNet(shared, options.width, {
    layer: (inChannels, outChannels, stride, relu) =>
      new Igcv2Block({ ...shared, inChannels, outChannels, stride, relu }),
    projection: (inChannels, outChannels, stride) =>
      new ConvBlock({ ...shared, inChannels, outChannels, stride, groups: inChannels, relu: false, kernel: 1 }),
  })
}

/** MobileNetV1: channels and stride of each block behind the stem of 32 channels. */
const MOBILENET: readonly (readonly [channels: number, stride: number])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1] as const),
  [1024, 2],
  [1024, 1],
]
const STEM = 32

/** Depthwise 3x3 - BN - ReLU - pointwise chain. */
class SeparableBlock extends Module {
  readonly depthwise: ConvBlock
  readonly pointwise: PointwiseChain

  constructor(options: BlockSizes) {
    super()
    const { inChannels } = options
    this.depthwise = new ConvBlock({ ...options, outChannels: inChannels, kernel: 3, padding: 1, groups: inChannels })
    this.pointwise = new PointwiseChain(options)
  }

  forward(x: Images): Images {
    using inner = scope()
    return inner.keep(this.pointwise.forward(this.depthwise.forward(x)))
  }
}

/** Sizes of `igcv2MobileNet`. */
export interface Igcv2MobileNetOptions extends CommonOptions {
  /**
   * Multiplies all widths, to multiples of 8: 1, 0.5 and 0.25 in the paper. Multiples of 0.25 give widths that fit each
   * other; of others, some do. Default: 1.
   */
  multiplier?: number
  /** K. Default: 8. */
  groupChannels?: number
  /** Default: imagenet, 224x224. `cifar`, 32x32, is ours: neither the stem nor the first block of 128 has a stride. */
  frame?: Frame
  /** Share of the features in front of the last layer that is set to zero at a training step. Default: 0. */
  dropout?: number
}

/** Each pointwise convolution has groups of K of its in-channels, which must divide its out-channels. */
function checkWidths(multiplier: number, groupChannels: number, widths: readonly number[]): void {
  for (const [i, width] of widths.entries()) {
    const before = widths[i - 1] ?? width
    if (width % groupChannels === 0 && width % (before / groupChannels) === 0) continue
    throw new RangeError(
      `igcv2MobileNet: expected a multiplier whose widths groups of ${groupChannels} channels can join, as those of multiples of 0.25 for 8, but received ${multiplier} (${before} and ${width} channels)`,
    )
  }
}

/** x [N, 224, 224, 3] (or 32x32 in the frame `cifar`) to logits [N, classes]. */
export class Igcv2MobileNet extends Module<Images, Tensor<readonly [number, number], FloatDType>> {
  readonly stem: ConvBlock
  readonly stages: readonly SeparableBlock[]
  readonly pool = new GlobalAvgPool2d()
  readonly dropout: Dropout
  readonly head: Linear

  /** @throws RangeError */
  constructor(options: Igcv2MobileNetOptions) {
    super()
    const { classes = 1000, multiplier = 1, groupChannels = 8, frame = 'imagenet', dropout = 0, seed = 0 } = options
    checkCount('classes', classes)
    checkCount('groupChannels', groupChannels)
    checkMultiplier(multiplier)
    checkFrame(frame)
    const shared = { ...options, groupChannels, generator: options.generator ?? new Generator(seed) }
    const wide = (channels: number) => Math.max(groupChannels, Math.round((channels * multiplier) / 8) * 8)
    checkWidths(multiplier, groupChannels, [STEM, ...MOBILENET.map(([channels]) => channels)].map(wide))
    const stride = frame === 'imagenet' ? 2 : 1
    let inChannels = wide(STEM)
    this.stem = new ConvBlock({ ...shared, inChannels: 3, outChannels: inChannels, kernel: 3, padding: 1, stride })
    this.stages = MOBILENET.map(([channels, step], i) => {
      const outChannels = wide(channels)
      const block = new SeparableBlock({ ...shared, inChannels, outChannels, stride: i === 1 ? stride : step })
      inChannels = outChannels
      return block
    })
    this.dropout = new Dropout({ rate: dropout, seed })
    this.head = new Linear({ ...shared, inFeatures: inChannels, outFeatures: classes })
  }

  forward(x: Images): Tensor<readonly [number, number], FloatDType> {
    using inner = scope()
    const layers = [this.stem, ...this.stages, this.pool, this.dropout, this.head]
    return inner.keep(forwardAll(layers, x) as Tensor<readonly [number, number], FloatDType>)
  }
}

/** MobileNetV1 with its pointwise convolutions replaced by IGCV2's. Batch-norm momentum 0.9. @throws RangeError */
export function igcv2MobileNet(options: Igcv2MobileNetOptions = {}): Igcv2MobileNet {
  return new Igcv2MobileNet(options)
}
