/**
 * The papers' layer: the interleaved group convolution, and the block around it with batch norm and ReLU.
 * Checked in test/unit/layers.test.ts; the op in test/kernels/igc-block.test.ts; whole networks in test/golden.
 */
import { ShapeError } from '../errors.ts'
import { igcBlockWithStatistics } from '../ops/igc-block.ts'
import { type Images, igcBlock } from '../ops/index.ts'
import { Generator } from '../ops/random.ts'
import { scope } from '../scope.ts'
import type { FloatDType, Shape, Tensor } from '../tensor.ts'
import { BatchNorm2d } from './batch-norm2d.ts'
import type { BlockOptions } from './conv-block.ts'
import { Conv2d, convolutionMultiplyAdds } from './conv2d.ts'
import { Module, type ModuleOptions } from './module.ts'
import { checkSizes } from './sizes.ts'

/** Sizes of an interleaved group convolution, and where its weights live. */
export interface InterleavedGroupConv2dOptions extends ModuleOptions {
  inChannels: number
  /** K; the paper's width. */
  outChannels: number
  /** L: groups of the primary convolution; divides inChannels and outChannels. */
  primaryPartitions: number
  /** M: groups of the secondary convolution; divides outChannels. Default: outChannels / L, the paper's. */
  secondaryPartitions?: number
  /** Side of the primary convolution's window; padded to keep the size. Odd. Default: 3. */
  kernel?: number
  /** Stride of the primary convolution. Default: 1. */
  stride?: number
}

/**
 * Interleaved group convolution (Zhang et al. 2017, section 3): primary L-group spatial convolution, Reorder(L),
 * secondary M-group 1x1 convolution, Reorder(M). No bias, nothing in between. x [N, H, W, C] to [N, P, Q, K].
 * `primary.weight` [K, kernel, kernel, C/L], `secondary.weight` [K, 1, 1, K/M].
 */
export class InterleavedGroupConv2d extends Module {
  readonly primary: Conv2d
  readonly secondary: Conv2d
  readonly primaryPartitions: number
  readonly secondaryPartitions: number

  /** @throws ShapeError when the partitions do not divide the channels, the kernel is even, or a size is no whole number above 0 */
  constructor(options: InterleavedGroupConv2dOptions) {
    super()
    const { inChannels, outChannels, primaryPartitions, kernel = 3, stride = 1 } = options
    const { secondaryPartitions = outChannels / primaryPartitions } = options
    checkSizes('igcBlock', { inChannels, outChannels, primaryPartitions })
    if (inChannels % primaryPartitions !== 0 || outChannels % primaryPartitions !== 0) {
      throw new ShapeError(
        `igcBlock: expected channels divisible by ${primaryPartitions} (primary partitions) but received ${inChannels} in and ${outChannels} out`,
      )
    }
    checkSizes('igcBlock', { secondaryPartitions })
    if (outChannels % secondaryPartitions !== 0) {
      throw new ShapeError(
        `igcBlock: expected channels divisible by ${secondaryPartitions} (secondary partitions) but received ${outChannels} out`,
      )
    }
    if (kernel % 2 !== 1) throw new ShapeError(`igcBlock: expected an odd kernel but received ${kernel}`)
    this.primaryPartitions = primaryPartitions
    this.secondaryPartitions = secondaryPartitions
    const shared = { ...options, generator: options.generator ?? new Generator(), outChannels }
    const padding = (kernel - 1) / 2
    this.primary = new Conv2d({ ...shared, kernel, stride, padding, groups: primaryPartitions })
    this.secondary = new Conv2d({
      ...shared,
      inChannels: outChannels,
      kernel: 1,
      stride: 1,
      groups: secondaryPartitions,
    })
  }

  forward(x: Images): Images {
    const secondary = this.secondary.weight as Tensor<readonly [number, 1, 1, number], FloatDType>
    return igcBlock(x, this.primary.weight, secondary, this.geometry)
  }

  /** @internal The options of igcBlock. */
  protected get geometry() {
    const { primaryPartitions, secondaryPartitions } = this
    const { stride, padding } = this.primary
    return { primaryPartitions, secondaryPartitions, stride, padding }
  }

  override multiplyAdds(y: Shape): number {
    return convolutionMultiplyAdds(this.primary.weight, y) + convolutionMultiplyAdds(this.secondary.weight, y)
  }
}

/** Interleaved group convolution - batchNorm2d - relu: one layer of an IGC network. */
export class IgcBlock extends InterleavedGroupConv2d {
  readonly bn: BatchNorm2d
  readonly relu: boolean

  constructor(options: InterleavedGroupConv2dOptions & BlockOptions) {
    super(options)
    const { relu = true, bnMomentum = 0.9, outChannels } = options
    this.bn = new BatchNorm2d({ ...options, channels: outChannels, momentum: bnMomentum })
    this.relu = relu
  }

  override forward(x: Images): Images {
    using inner = scope()
    if (!this.bn.training) return inner.keep(this.bn.forward(super.forward(x), { relu: this.relu }))
    const { y, statistics } = igcBlockWithStatistics(x, this.primary.weight, this.secondary.weight, this.geometry)
    return inner.keep(this.bn.forward(y, { relu: this.relu, statistics }))
  }
}
