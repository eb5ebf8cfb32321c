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

  forward(x: Images): Images {
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

  forward(x: Images): Images {
    return maxPool2d(x, this.options)
  }
}

/** The mean over the whole map: x [N, H, W, C] to [N, C]. */
export class GlobalAvgPool2d extends Module<Images, Tensor<readonly [number, number], FloatDType>> {
  forward(x: Images): Tensor<readonly [number, number], FloatDType> {
    return globalAvgPool2d(x)
  }
}
