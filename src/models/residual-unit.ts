/** The unit of all residual networks: two layers and a shortcut. Checked with the networks, resnet.ts and resnet-imgnet.ts. */
import { type ConvBlock, Module } from '../nn/index.ts'
import { forwardAll } from '../nn/sequential.ts'
import { addRelu, type Images } from '../ops/index.ts'
import { scope } from '../scope.ts'

/** How a network makes its layers and its projections. */
export interface Kit {
  layer(inChannels: number, outChannels: number, stride: number, relu: boolean): Module
  projection(inChannels: number, outChannels: number, stride: number): ConvBlock
}

/** relu(layers(x) + shortcut(x)): x [N, H, W, C] to [N, P, Q, K]. The shortcut is the identity where the width stays. */
export class Unit extends Module {
  readonly layers: readonly Module[]
  readonly shortcut: ConvBlock | undefined

  /** @param stride of the first layer and of the shortcut; 1 where the width stays */
  constructor(kit: Kit, inChannels: number, outChannels: number, stride: number) {
    super()
    this.layers = [kit.layer(inChannels, outChannels, stride, true), kit.layer(outChannels, outChannels, 1, false)]
    this.shortcut = inChannels === outChannels ? undefined : kit.projection(inChannels, outChannels, stride)
  }

  forward(x: Images): Images {
    using inner = scope()
    const shortcut = this.shortcut === undefined ? x : this.shortcut.forward(x)
    return inner.keep(addRelu(forwardAll(this.layers, x) as Images, shortcut))
  }
}
