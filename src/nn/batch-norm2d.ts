/** The batch normalisation layer. Checked in test/unit/layers.test.ts; its op in test/kernels. */
import { deferredBatchNorm2d } from '../ops/batch-norm2d.ts'
import type { FloatMatrix } from '../ops/fits.ts'
import { batchNorm2d, type Fits, type Images } from '../ops/index.ts'
import { type FloatDType, ones, type Tensor, untracked, zeros } from '../tensor.ts'
import { inWords } from '../values.ts'
import { Module, type ModuleOptions, parameter } from './module.ts'
import { checkSizes } from './sizes.ts'

type Channels = Tensor<readonly [number], FloatDType>

/** @internal Leaves the work to the op that needs the result: for an input into which nobody writes any more. */
export interface Deferral {
  /** Whether a ReLU follows. */
  relu: boolean
  /** Those of the input, where they are known; in training only. */
  statistics?: FloatMatrix | undefined
}

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

  /** Defaults: momentum 0.9, epsilon 2e-5. @throws ShapeError, RangeError */
  constructor(options: ModuleOptions & { channels: C; momentum?: number; epsilon?: number }) {
    super()
    const { channels, momentum = 0.9, epsilon = 2e-5, dtype = 'f32', device = 'cpu' } = options
    checkSizes('BatchNorm2d', { channels: channels as number })
    if (!(Number.isFinite(momentum) && momentum >= 0 && momentum <= 1)) {
      throw new RangeError(`BatchNorm2d: expected a momentum from 0 to 1 but received ${inWords(momentum)}`)
    }
    if (!(Number.isFinite(epsilon) && epsilon >= 0)) {
      throw new RangeError(`BatchNorm2d: expected a finite epsilon of 0 or more but received ${inWords(epsilon)}`)
    }
    this.momentum = momentum
    this.epsilon = epsilon
    const size = [channels as number] as const
    this.weight = parameter(() => ones(size, { dtype, device }))
    this.bias = parameter(() => zeros(size, { dtype, device }))
    this.runningMean = untracked(() => zeros(size, { dtype, device }))
    this.runningVar = untracked(() => ones(size, { dtype, device }))
  }

  /** @param deferral @internal see there; also the ReLU behind it */
  forward<N extends number, I extends number, D extends FloatDType>(
    x: Images<N, number, number, I, D> & Fits<C, I>,
    deferral?: Deferral,
  ): Images<N, number, number, C, D> {
    const { training, momentum, epsilon, weight, bias, runningMean, runningVar } = this
    if (deferral === undefined) {
      const y = batchNorm2d(x as Images<N>, weight, bias, runningMean, runningVar, { training, momentum, epsilon })
      return y as Images<N, number, number, C, D>
    }
    const options = { training, momentum, epsilon, relu: deferral.relu, statistics: deferral.statistics }
    const y = deferredBatchNorm2d(x as Images<N>, weight, bias, runningMean, runningVar, options)
    return y as Images<N, number, number, C, D>
  }
}
