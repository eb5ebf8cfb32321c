/**
 * The plain networks for 32x32 images (Zhang et al. 2017, table 2): `plain` with regular convolutions, `plain_igc`
 * with interleaved group convolutions.
 *
 *   stem     conv3x3 3 -> c, BN, ReLU                       (regular in both)
 *   stage 1  B layers of width c
 *   stage 2  B layers of width 2c, the first with stride 2
 *   stage 3  B layers of width 4c, the first with stride 2
 *   head     global average pool, linear
 *
 * Depth = 3B + 2. A layer is conv3x3 - BN - ReLU, or one IGC block: L stays, M doubles with the width.
 * Counts are checked in test/unit/counts.test.ts, values in test/golden.
 */
import { ConvBlock, GlobalAvgPool2d, IgcBlock, Linear, Module } from '../nn/index.ts'
import { forwardAll } from '../nn/sequential.ts'
import { Generator, type Images } from '../ops/index.ts'
import { scope } from '../scope.ts'
import type { FloatDType, Tensor } from '../tensor.ts'
import {
  checkCount,
  type IgcNetworkOptions,
  maximumDepth,
  type NetworkOptions,
  type RegularNetworkOptions,
} from './options.ts'

/** One layer of a stage: in-channels, out-channels, stride. */
type Layer = (inChannels: number, outChannels: number, stride: number) => Module

/** A plain network: x [N, 32, 32, 3] (any size that two strides of 2 leave non-empty) to logits [N, classes]. */
export class Plain extends Module<Images, Tensor<readonly [number, number], FloatDType>> {
  readonly stem: ConvBlock
  readonly stages: readonly (readonly Module[])[]
  readonly pool = new GlobalAvgPool2d()
  readonly head: Linear

  /** @internal Use `plain`, `plainIgc` and their like. */
  constructor(options: NetworkOptions, width: number, layer: Layer) {
    super()
    const blocks = blocksPerStage(options.depth)
    this.stem = new ConvBlock({ ...options, inChannels: 3, outChannels: width, kernel: 3, padding: 1 })
    this.stages = [1, 2, 4].map((growth, s) =>
      Array.from({ length: blocks }, (_, b) => {
        const outChannels = width * growth
        const first = s > 0 && b === 0
        return layer(first ? outChannels / 2 : outChannels, outChannels, first ? 2 : 1)
      }),
    )
    checkCount('classes', options.classes ?? 10)
    this.head = new Linear({ ...options, inFeatures: width * 4, outFeatures: options.classes ?? 10 })
  }

  forward(x: Images): Tensor<readonly [number, number], FloatDType> {
    using inner = scope()
    const layers = [this.stem, ...this.stages.flat(), this.pool, this.head]
    return inner.keep(forwardAll(layers, x) as Tensor<readonly [number, number], FloatDType>)
  }
}

function blocksPerStage(depth: number): number {
  const blocks = (depth - 2) / 3
  if (!Number.isInteger(blocks) || blocks < 1 || depth > maximumDepth) {
    const nearest = 3 * Math.max(1, Math.round(blocks)) + 2
    const hint = nearest <= maximumDepth ? `; the nearest is ${nearest}` : ''
    throw new RangeError(
      `plain: expected a depth of 3B + 2 (5, 8, 11, …, 20, …, 38, …) up to ${maximumDepth} but received ${depth}${hint}`,
    )
  }
  return blocks
}

/** @internal Batch-norm momentum 0.99 and one generator for all layers. */
export function plainDefaults<O extends NetworkOptions>(options: O) {
  const { bnMomentum = 0.99, generator = new Generator(options.seed) } = options
  return { ...options, bnMomentum, generator }
}

/** Regular convolutions: RegConv-W<width> of the paper. Batch-norm momentum 0.99. @throws RangeError for a depth that does not fit */
export function plain(options: RegularNetworkOptions): Plain {
  checkCount('width', options.width)
  const shared = plainDefaults(options)
  return new Plain(
    shared,
    options.width,
    (inChannels, outChannels, stride) =>
      new ConvBlock({ ...shared, inChannels, outChannels, stride, kernel: 3, padding: 1 }),
  )
}

/** Interleaved group convolutions: IGC-L<L>M<M> of the paper, width L*M. Batch-norm momentum 0.99. @throws RangeError */
export function plainIgc(options: IgcNetworkOptions): Plain {
  const { primaryPartitions, secondaryPartitions } = options
  checkCount('primaryPartitions', primaryPartitions)
  checkCount('secondaryPartitions', secondaryPartitions)
  const { secondaryPartitions: _, ...rest } = options
  const shared = plainDefaults(rest)
  return new Plain(
    shared,
    primaryPartitions * secondaryPartitions,
    (inChannels, outChannels, stride) => new IgcBlock({ ...shared, inChannels, outChannels, stride }),
  )
}
