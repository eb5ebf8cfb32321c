/**
 * IGCV3-D, interleaved low-rank group convolutions (Sun et al. 2018; the authors' symbols/igcv3.py and published graph).
 *
 *   stem     conv3x3 stride 2, 32 channels, BN, ReLU6
 *   block    1x1 expansion in 2 groups, BN; Reorder(2); channel-wise 3x3, BN, ReLU6; 1x1 projection in 2 groups, BN;
 *            + x in all blocks of a stage but the first
 *   stages   (expansion, channels, blocks, stride) below
 *   head     conv1x1 to 1280, BN, ReLU6; global average pool; linear
 *
 * The paper has a second permutation behind the projection, Reorder(C/2); the published graph and the script have one.
 * `permutations: 2` builds the paper's block. Widths are rounded to even numbers, for the two groups.
 * QUIRK: the script multiplies the in-channels by the multiplier once more when it computes the expansion, so that other
 * multipliers than 1 give odd expansions; here the expansion is 6 times the in-channels always. Below a multiplier of 1
 * the head keeps its 1280 channels, as in the script; above it the script has one channel more than 1280 times it, which is
 * rounded here like all widths.
 * The frame `cifar`, for 32x32 images: no stride in the stem and in stage 2, as is usual; the parameters are the same.
 * Counts are checked in test/unit/model-counts.test.ts, values in test/golden.
 */
import { ConvBlock, Dropout, GlobalAvgPool2d, Linear, Module, type ModuleOptions } from '../nn/index.ts'
import { forwardAll } from '../nn/sequential.ts'
import { add, Generator, type Images, reorder } from '../ops/index.ts'
import { scope } from '../scope.ts'
import type { FloatDType, Tensor } from '../tensor.ts'
import { type CommonOptions, checkCount, checkFrame, checkMultiplier, type Frame } from './options.ts'

interface Stage {
  readonly expansion: number
  readonly channels: number
  readonly blocks: number
  readonly stride: number
}

/** IGCV3-D at multiplier 1. */
const STAGES: readonly Stage[] = [
  { expansion: 1, channels: 16, blocks: 1, stride: 1 },
  { expansion: 6, channels: 24, blocks: 4, stride: 2 },
  { expansion: 6, channels: 32, blocks: 6, stride: 2 },
  { expansion: 6, channels: 64, blocks: 8, stride: 2 },
  { expansion: 6, channels: 96, blocks: 6, stride: 1 },
  { expansion: 6, channels: 160, blocks: 6, stride: 2 },
  { expansion: 6, channels: 320, blocks: 1, stride: 1 },
]
const STEM = 32
const LAST = 1280
/** Groups of the expansion and of the projection. */
const GROUPS = 2
/** Added to the variance by the authors' script. */
const EPSILON = 1e-5

interface BlockSizes extends ModuleOptions {
  inChannels: number
  outChannels: number
  expansion: number
  stride: number
  /** Whether x is added. */
  residual: boolean
  /** 1 or 2. */
  permutations: number
}

/** One interleaved low-rank group convolution. x [N, H, W, C] to [N, P, Q, K]. */
export class Igcv3Block extends Module {
  readonly expand: ConvBlock
  readonly spatial: ConvBlock
  readonly project: ConvBlock
  readonly residual: boolean
  readonly permutations: number

  constructor(options: BlockSizes) {
    super()
    const { inChannels, outChannels, expansion, stride, residual, permutations } = options
    const inner = inChannels * expansion
    const pointwise = { ...options, epsilon: EPSILON, kernel: 1, stride: 1, groups: GROUPS, relu: false } as const
    const spatial = { ...options, epsilon: EPSILON, kernel: 3, padding: 1, stride, groups: inner, relu: 6 } as const
    this.expand = new ConvBlock({ ...pointwise, outChannels: inner })
    this.spatial = new ConvBlock({ ...spatial, inChannels: inner, outChannels: inner })
    this.project = new ConvBlock({ ...pointwise, inChannels: inner, outChannels })
    this.residual = residual
    this.permutations = permutations
  }

  forward(x: Images): Images {
    using inner = scope()
    const expanded = reorder(this.expand.forward(x), { factor: GROUPS })
    const narrow = this.project.forward(this.spatial.forward(expanded))
    const channels = narrow.shape[3] as number
    const y = this.permutations === 2 ? reorder(narrow, { factor: channels / GROUPS }) : narrow
    return inner.keep(this.residual ? add(x, y) : y)
  }
}

/** Sizes of `igcv3D`. */
export interface Igcv3Options extends CommonOptions {
  /** Multiplies all widths; the last layer keeps 1280 channels below 1. Default: 1. */
  multiplier?: number
  /** In each block: 1 as in the published graph, 2 as in the paper. Default: 1. */
  permutations?: number
  /** Default: imagenet, 224x224. */
  frame?: Frame
  /** Share of the features in front of the last layer that is set to zero at a training step. Default: 0. */
  dropout?: number
}

/** x [N, 224, 224, 3] (or 32x32 in the frame `cifar`) to logits [N, classes]. */
export class Igcv3D extends Module<Images, Tensor<readonly [number, number], FloatDType>> {
  readonly stem: ConvBlock
  readonly stages: readonly (readonly Igcv3Block[])[]
  readonly last: ConvBlock
  readonly pool = new GlobalAvgPool2d()
  readonly dropout: Dropout
  readonly head: Linear

  /** @throws RangeError */
  constructor(options: Igcv3Options) {
    super()
    const { classes = 1000, multiplier = 1, permutations = 1, frame = 'imagenet', dropout = 0, seed = 0 } = options
    checkCount('classes', classes)
    checkMultiplier(multiplier)
    checkFrame(frame)
    if (permutations !== 1 && permutations !== 2) {
      throw new RangeError(`igcv3_d: expected 1 or 2 for permutations but received ${permutations}`)
    }
    const shared = { ...options, permutations, generator: options.generator ?? new Generator(seed) }
    const wide = (channels: number) => evenWidth(channels * multiplier)
    const regular = { ...shared, epsilon: EPSILON, relu: 6 } as const
    const early = frame === 'imagenet' ? 2 : 1
    let width = wide(STEM)
    this.stem = new ConvBlock({ ...regular, inChannels: 3, outChannels: width, kernel: 3, padding: 1, stride: early })
    this.stages = STAGES.map(({ expansion, channels, blocks, stride }, s) =>
      Array.from({ length: blocks }, (_, b) => {
        const [inChannels, outChannels, residual] = [width, wide(channels), b > 0]
        width = outChannels
        const step = b > 0 ? 1 : s === 1 ? early : stride
        return new Igcv3Block({ ...shared, inChannels, outChannels, expansion, stride: step, residual })
      }),
    )
    const features = multiplier > 1 ? wide(LAST) : LAST
    this.last = new ConvBlock({ ...regular, inChannels: width, outChannels: features, kernel: 1 })
    this.dropout = new Dropout({ rate: dropout, seed })
    this.head = new Linear({ ...shared, inFeatures: features, outFeatures: classes })
  }

  forward(x: Images): Tensor<readonly [number, number], FloatDType> {
    using inner = scope()
    const layers = [this.stem, ...this.stages.flat(), this.last, this.pool, this.dropout, this.head]
    return inner.keep(forwardAll(layers, x) as Tensor<readonly [number, number], FloatDType>)
  }
}

function evenWidth(width: number): number {
  const whole = Math.max(1, Math.round(width))
  return whole + (whole % 2)
}

/** IGCV3-D of the paper at multiplier 1. Batch-norm momentum 0.9. @throws RangeError */
export function igcv3D(options: Igcv3Options = {}): Igcv3D {
  return new Igcv3D(options)
}
