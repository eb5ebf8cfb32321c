/**
 * The residual networks for 32x32 images (+Ident. of Zhang et al. 2017): `resnet` with regular convolutions,
 * `resnet_igc` with interleaved group convolutions.
 *
 *   stem     conv3x3 3 -> c, BN, ReLU
 *   stages   n units of widths c, 2c, 4c; the first unit of stages 2 and 3 has stride 2
 *   unit     two layers, the second without ReLU; + shortcut; ReLU
 *   shortcut identity, or where the width changes conv1x1 stride 2 - BN (grouped by L in the IGC network)
 *   head     global average pool, linear
 *
 * Depth = 6n + 2; for other depths the units are shared out as the authors' script does.
 * QUIRK (authors' symbol of resnet_igc): the first layer of a unit that changes the width has kin/L secondary groups for
 * kout channels, and its second Reorder uses kin/L too, so it does not undo the first. `consistent: true` uses kout/L, as
 * plain_igc and the published ImageNet graphs do.
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
import { type Kit, Unit } from './residual-unit.ts'

/** A residual network: x [N, 32, 32, 3] to logits [N, classes]. */
export class ResNet extends Module<Images, Tensor<readonly [number, number], FloatDType>> {
  readonly stem: ConvBlock
  readonly stages: readonly (readonly Unit[])[]
  readonly pool = new GlobalAvgPool2d()
  readonly head: Linear

  /** @internal Use `resnet`, `resnetIgc` and their like. */
  constructor(options: NetworkOptions, width: number, kit: Kit) {
    super()
    const units = unitsPerStage(options.depth)
    this.stem = new ConvBlock({ ...options, inChannels: 3, outChannels: width, kernel: 3, padding: 1 })
    this.stages = units.map((count, s) => {
      const outChannels = width * 2 ** s
      return Array.from({ length: count }, (_, u) => {
        const first = s > 0 && u === 0
        return new Unit(kit, first ? outChannels / 2 : outChannels, outChannels, first ? 2 : 1)
      })
    })
    checkCount('classes', options.classes ?? 10)
    this.head = new Linear({ ...options, inFeatures: width * 4, outFeatures: options.classes ?? 10 })
  }

  forward(x: Images): Tensor<readonly [number, number], FloatDType> {
    using inner = scope()
    const layers = [this.stem, ...this.stages.flat(), this.pool, this.head]
    return inner.keep(forwardAll(layers, x) as Tensor<readonly [number, number], FloatDType>)
  }
}

/** Units of the three stages: (depth - 2) / 6 each, or shared out as the authors' script does when that is not whole. */
function unitsPerStage(depth: number): number[] {
  if (!Number.isInteger(depth) || depth < 8 || depth > maximumDepth) {
    throw new RangeError(
      `resnet: expected a depth from 8 to ${maximumDepth} (6n + 2: 8, 14, 20, …) but received ${depth}`,
    )
  }
  let used = 2
  return [3, 2, 1].map(left => {
    const units = Math.floor((depth - used) / (2 * left))
    used += 2 * units
    return units
  })
}

/** Regular convolutions, width `width`. Batch-norm momentum 0.9. @throws RangeError */
export function resnet(options: RegularNetworkOptions): ResNet {
  checkCount('width', options.width)
  const shared = { ...options, generator: options.generator ?? new Generator(options.seed) }
  return new ResNet(shared, options.width, {
    layer: (inChannels, outChannels, stride, relu) =>
      new ConvBlock({ ...shared, inChannels, outChannels, stride, relu, kernel: 3, padding: 1 }),
    projection: (inChannels, outChannels, stride) =>
      new ConvBlock({ ...shared, inChannels, outChannels, stride, relu: false, kernel: 1 }),
  })
}

/**
 * Interleaved group convolutions: IGC-L<L>M<M>+Ident. Batch-norm momentum 0.9.
 * @param options.consistent kout/L secondary groups everywhere instead of the authors' quirk. Default: false.
 * @throws RangeError
 */
export function resnetIgc(options: IgcNetworkOptions & { consistent?: boolean }): ResNet {
  const { primaryPartitions, consistent = false } = options
  checkCount('primaryPartitions', primaryPartitions)
  checkCount('secondaryPartitions', options.secondaryPartitions)
  const shared = { ...options, generator: options.generator ?? new Generator(options.seed) }
  return new ResNet(shared, primaryPartitions * options.secondaryPartitions, {
    layer: (inChannels, outChannels, stride, relu) => {
      const secondaryPartitions = (consistent ? outChannels : inChannels) / primaryPartitions // QUIRK, see above
      return new IgcBlock({ ...shared, secondaryPartitions, inChannels, outChannels, stride, relu })
    },
    projection: (inChannels, outChannels, stride) =>
      new ConvBlock({ ...shared, inChannels, outChannels, stride, groups: primaryPartitions, relu: false, kernel: 1 }),
  })
}
