/** Pooling layers. Checked in test/unit/layers.test.ts; their ops in test/kernels/pool2d.test.ts. */
import { ShapeError } from '../errors.ts'
import { pool2dParams } from '../ops/avg-pool2d.ts'
import { avgPool2d, globalAvgPool2d, type Images, maxPool2d, type Pool2dOptions } from '../ops/index.ts'
import type { FloatDType, Tensor } from '../tensor.ts'
import { Module } from './module.ts'
import { checkSizes } from './sizes.ts'

/** The mean over square windows: x [N, H, W, C] to [N, P, Q, C]; padding counts as zeros. */
export class AvgPool2d extends Module {
  readonly options: Pool2dOptions

  /** @throws ShapeError when a size is no whole number in its range; TypeError without options */
  constructor(options: Pool2dOptions) {
    super()
    checkWindow('AvgPool2d', options)
    this.options = { ...options }
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

  /** @throws ShapeError when a size is no whole number in its range; TypeError without options */
  constructor(options: Pool2dOptions) {
    super()
    checkWindow('MaxPool2d', options)
    this.options = { ...options }
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

function checkWindow(layer: string, options: Pool2dOptions): void {
  const { kernel, stride, padding } = pool2dParams(layer, options)
  checkSizes(layer, { kernel, stride })
  checkSizes(layer, { padding }, 0)
  if (padding <= kernel / 2) return
  throw new ShapeError(`${layer}: expected padding of at most half the kernel (${kernel} / 2) but received ${padding}`)
}
