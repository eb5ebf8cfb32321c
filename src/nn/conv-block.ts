/** The regular layer of the papers' baselines: convolution, batch norm, ReLU. Checked in test/unit/layers.test.ts. */
import { conv2dNorm, conv2dWithStatistics } from '../ops/conv2d.ts'
import { type Images, relu6 } from '../ops/index.ts'
import { scope } from '../scope.ts'
import { BatchNorm2d } from './batch-norm2d.ts'
import { Conv2d, type Conv2dLayerOptions } from './conv2d.ts'
import { Module } from './module.ts'

/** What the blocks of convolution, batch norm and ReLU share. */
export interface BlockOptions {
  /** Whether a ReLU ends the block. Default: true. */
  relu?: boolean
  /** Momentum of batch norm, MXNet's sense. Default: 0.9. */
  bnMomentum?: number
  /** Added to the variance. Default: 2e-5, the authors'. */
  epsilon?: number
}

/**
 * conv2d - batchNorm2d - relu (or relu6). x [N, H, W, C] to [N, P, Q, K]. In inference under `noGrad` a convolution on `cpu`
 * carries the norm out itself; a ReLU in it may leave 1e-30 of a negative number.
 */
export class ConvBlock extends Module {
  readonly conv: Conv2d
  readonly bn: BatchNorm2d
  readonly relu: boolean | 6

  /** @param options.relu 6: a ReLU that is clipped at 6. Default: true. */
  constructor(options: Conv2dLayerOptions<number, number> & Omit<BlockOptions, 'relu'> & { relu?: boolean | 6 }) {
    super()
    const { relu = true, bnMomentum = 0.9, outChannels } = options
    this.conv = new Conv2d(options)
    this.bn = new BatchNorm2d({ ...options, channels: outChannels, momentum: bnMomentum })
    this.relu = relu
  }

  forward(x: Images): Images {
    using inner = scope()
    const y = this.#normed(x, this.relu === true)
    return inner.keep(this.relu === 6 ? relu6(y) : y)
  }

  #normed(x: Images, relu: boolean): Images {
    const { conv, bn } = this
    const { weight, stride, padding, groups } = conv
    if (!bn.training) {
      const whole = conv2dNorm(x, weight, bn, { stride, padding, groups, relu })
      return whole ?? bn.forward(conv.forward(x), { relu })
    }
    const { y, statistics } = conv2dWithStatistics(x, weight, { stride, padding, groups })
    return bn.forward(y, { relu, statistics })
  }
}
