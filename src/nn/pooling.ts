/** Pooling layers. Their ops are checked in test/kernels/pool2d.test.ts. */
import { avgPool2d, globalAvgPool2d, type Images, maxPool2d, type Pool2dOptions } from '../ops/index.ts'
import type { FloatDType, Tensor } from '../tensor.ts'
import { Module } from './module.ts'

/** The mean over square windows: x [N, H, W, C] to [N, P, Q, C]; padding counts as zeros. */
export class AvgPool2d extends Module {
  readonly options: Pool2dOptions

  constructor(options: Pool2dOptions) {
    super()
    this.options = options
  }

  forward<N extends number, C extends number, D extends FloatDType>(
    x: Images<N, number, number, C, D>,
  ): Images<N, number, number, C, D> {
    return avgPool2d(x, this.options)
  }
}

/** The maximum over square windows: x [N, H, W, C] to [N, P, Q, C]; padding never wins. */
export class MaxPool2d extends Module {
  readonly options: Pool2dOptions

  constructor(options: Pool2dOptions) {
    super()
    this.options = options
  }

  forward<N extends number, C extends number, D extends FloatDType>(
    x: Images<N, number, number, C, D>,
  ): Images<N, number, number, C, D> {
    return maxPool2d(x, this.options)
  }
}

/** The mean over the whole map: x [N, H, W, C] to [N, C]. */
export class GlobalAvgPool2d extends Module<Images, Tensor<readonly [number, number], FloatDType>> {
  forward<N extends number, C extends number, D extends FloatDType>(
    x: Images<N, number, number, C, D>,
  ): Tensor<readonly [N, C], D> {
    return globalAvgPool2d(x)
  }
}
