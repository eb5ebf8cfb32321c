/** The convolution layer. Checked in test/unit/layers.test.ts; its op in test/kernels. */
import { ShapeError } from '../errors.ts'
import { conv2d, type Fits, type Images } from '../ops/index.ts'
import { Generator } from '../ops/random.ts'
import type { FloatDType, Shape, Tensor } from '../tensor.ts'
import { heNormal } from './init.ts'
import { Module, type ModuleOptions } from './module.ts'
import { checkSizes } from './sizes.ts'

/** Sizes of a convolution layer, and where its weights live. */
export interface Conv2dLayerOptions<C extends number, K extends number> extends ModuleOptions {
  inChannels: C
  outChannels: K
  /** Side of the square window. */
  kernel: number
  /** Default: 1. */
  stride?: number
  /** Default: 0. */
  padding?: number
  /** Divides inChannels and outChannels. Default: 1. */
  groups?: number
}

/**
 * A (grouped) convolution without bias. x [N, H, W, C] to [N, P, Q, K]; `weight` [K, kernel, kernel, C/groups], first
 * values N(0, sqrt(2 / fanIn)) with fanIn = C/groups * kernel².
 */
export class Conv2d<C extends number = number, K extends number = number> extends Module<
  Images<number, number, number, C>,
  Images<number, number, number, K>
> {
  readonly weight: Tensor<readonly [K, number, number, number], FloatDType>
  readonly stride: number
  readonly padding: number
  readonly groups: number

  /** @throws ShapeError when the groups do not divide the channels, or a size is no whole number in its range */
  constructor(options: Conv2dLayerOptions<C, K>) {
    super()
    const {
      inChannels,
      outChannels,
      kernel,
      stride = 1,
      padding = 0,
      groups = 1,
      generator = new Generator(),
    } = options
    checkSizes('Conv2d', { inChannels, outChannels, kernel, stride, groups })
    checkSizes('Conv2d', { padding }, 0)
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new ShapeError(
        `Conv2d: expected channels divisible by ${groups} (groups) but received ${inChannels} in and ${outChannels} out`,
      )
    }
    this.stride = stride
    this.padding = padding
    this.groups = groups
    const perGroup = inChannels / groups
    this.weight = heNormal(generator, [outChannels, kernel, kernel, perGroup], perGroup * kernel * kernel, options)
  }

  forward<N extends number, I extends number, D extends FloatDType>(
    x: Images<N, number, number, I, D> & Fits<C, I>,
  ): Images<N, number, number, K, D> {
    return conv2d(x as Images<N>, this.weight, this) as Images<N, number, number, K, D>
  }

  override multiplyAdds(y: Shape): number {
    return convolutionMultiplyAdds(this.weight, y)
  }
}

/** Multiply-adds of a convolution with this weight [K, R, S, C/G] and result [N, P, Q, K]. */
export function convolutionMultiplyAdds(weight: Tensor, y: Shape): number {
  const [n = 0, p = 0, q = 0] = y
  return n * p * q * weight.size
}
