/**
 * Xception as the extreme case of IGC (Zhang et al. 2017, section 3.3): M = 1, so the primary convolution is channel-wise
 * and the secondary one is a regular 1x1 convolution; in the frames of plain.ts and resnet.ts. L is the width and doubles
 * with it. A block that changes the width from C to 2C has C primary groups: two channels are made of each.
 * That it is channel-wise, then pointwise: test/unit/special-cases.test.ts; values: test/golden.
 */
import { ConvBlock, IgcBlock } from '../nn/index.ts'
import { Generator } from '../ops/index.ts'
import { checkCount, type RegularNetworkOptions } from './options.ts'
import { Plain, plainDefaults } from './plain.ts'
import { ResNet } from './resnet.ts'

/** The frame of `plain`. Batch-norm momentum 0.99. @throws RangeError */
export function xception(options: RegularNetworkOptions): Plain {
  checkCount('width', options.width)
  const shared = { ...plainDefaults(options), secondaryPartitions: 1 }
  return new Plain(
    shared,
    options.width,
    (inChannels, outChannels, stride) =>
      new IgcBlock({ ...shared, inChannels, outChannels, primaryPartitions: inChannels, stride }),
  )
}

/** The frame of `resnet`; the projections are channel-wise, too. Batch-norm momentum 0.9. @throws RangeError */
export function resnetXception(options: RegularNetworkOptions): ResNet {
  checkCount('width', options.width)
  const shared = { ...options, generator: options.generator ?? new Generator(options.seed), secondaryPartitions: 1 }
  return new ResNet(shared, options.width, {
    layer: (inChannels, outChannels, stride, relu) =>
      new IgcBlock({ ...shared, inChannels, outChannels, primaryPartitions: inChannels, stride, relu }),
    projection: (inChannels, outChannels, stride) =>
      new ConvBlock({ ...shared, inChannels, outChannels, stride, groups: inChannels, relu: false, kernel: 1 }),
  })
}
