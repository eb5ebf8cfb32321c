/** The batch normalisation layer. Checked in test/unit/layers.test.ts; its op in test/kernels. */
import { batchNorm2d, type Fits, type Images } from '../ops/index.ts'
import { type FloatDType, ones, type Tensor, untracked, zeros } from '../tensor.ts'
import { Module, type ModuleOptions, parameter } from './module.ts'
import { checkSizes } from './sizes.ts'

type Channels = Tensor<readonly [number], FloatDType>

/**
 * Batch normalisation over the channels of x [N, H, W, C]. In training mode the batch's statistics are used and the
 * running ones updated, in inference mode the running ones are used.
 * QUIRK: the running variance starts at 1, MXNet's at 0, so that a fresh network can be evaluated; the difference is gone
 * after a few hundred steps.
 */
export class BatchNorm2d<C extends number = number> extends Module<
  Images<number, number, number, C>,
  Images<number, number, number, C>
> {
  /** gamma, from 1. */
  readonly weight: Channels
  /** beta, from 0. */
  readonly bias: Channels
  readonly runningMean: Channels
  readonly runningVar: Channels
  /** Share of the old value in the running statistics (MXNet's sense). */
  readonly momentum: number
  readonly epsilon: number

  /** Defaults: momentum 0.9, epsilon 2e-5. @throws ShapeError */
  constructor(options: ModuleOptions & { channels: C; momentum?: number; epsilon?: number }) {
    super()
    const { channels, momentum = 0.9, epsilon = 2e-5, dtype = 'f32', device = 'cpu' } = options
    checkSizes('BatchNorm2d', { channels: channels as number })
    this.momentum = momentum
    this.epsilon = epsilon
    const size = [channels as number] as const
    this.weight = parameter(() => ones(size, { dtype, device }))
    this.bias = parameter(() => zeros(size, { dtype, device }))
    this.runningMean = untracked(() => zeros(size, { dtype, device }))
    this.runningVar = untracked(() => ones(size, { dtype, device }))
  }

  forward<N extends number, I extends number, D extends FloatDType>(
    x: Images<N, number, number, I, D> & Fits<C, I>,
  ): Images<N, number, number, C, D> {
    const y = batchNorm2d(x as Images<N>, this.weight, this.bias, this.runningMean, this.runningVar, this)
    return y as Images<N, number, number, C, D>
  }
}
