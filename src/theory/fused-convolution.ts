/** What batch norm becomes when it is folded into the convolution in front of it. Checked in test/theory/fuse-for-inference.test.ts. */
import { Conv2d, Module } from '../nn/index.ts'
import { deferredBatchNorm2d } from '../ops/batch-norm2d.ts'
import { conv2dNorm } from '../ops/conv2d.ts'
import { type FloatVector, type Images, relu6 } from '../ops/index.ts'
import { scope } from '../scope.ts'
import { ones, untracked, zeros } from '../tensor.ts'

/**
 * A convolution, a bias for every channel, and perhaps a ReLU (6: clipped at 6). x [N, H, W, C] to [N, P, Q, K].
 * The bias is the op batch norm with mean 0, variance 1, epsilon 0 and gamma 1, which adds it exactly. A dense
 * Conv2d on `cpu` without a tape does it, and the ReLU, as it writes; else IGC blocks and residual sums do, as they read.
 */
export class FusedConvolution extends Module {
  /** A Conv2d or InterleavedGroupConv2d. */
  readonly convolution: Module
  /** [K] */
  readonly bias: FloatVector
  readonly relu: boolean | 6
  /** [K] each: gamma and variance, mean. */
  readonly #ones: FloatVector
  readonly #zeros: FloatVector

  constructor(convolution: Module, bias: FloatVector, relu: boolean | 6) {
    super()
    this.convolution = convolution
    this.bias = bias
    this.relu = relu
    const { shape, dtype, device } = bias
    this.#ones = untracked(() => ones(shape, { dtype, device }))
    this.#zeros = untracked(() => zeros(shape, { dtype, device }))
  }

  forward(x: Images): Images {
    using inner = scope()
    const { convolution, bias } = this
    const relu = this.relu === true
    const biased =
      this.#whole(x, relu) ??
      deferredBatchNorm2d(convolution.forward(x), this.#ones, bias, this.#zeros, this.#ones, {
        training: false,
        epsilon: 0,
        relu,
      })
    return inner.keep(this.relu === 6 ? relu6(biased) : biased)
  }

  /** As one piece of work, where that spares a pass. */
  #whole(x: Images, relu: boolean): Images | undefined {
    if (!(this.convolution instanceof Conv2d)) return undefined
    const { weight, stride, padding, groups } = this.convolution
    const norm = { weight: this.#ones, bias: this.bias, runningMean: this.#zeros, runningVar: this.#ones, epsilon: 0 }
    return conv2dNorm(x, weight, norm, { stride, padding, groups, relu })
  }

  override dispose(): void {
    super.dispose()
    this.#ones.dispose()
    this.#zeros.dispose()
  }
}
