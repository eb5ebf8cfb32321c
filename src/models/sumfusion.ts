/**
 * Group convolution with summation fusion (SumFusion; Zhang et al. 2017, section 4, as in ResNeXt), in the frames of
 * plain.ts and resnet.ts: an IGC block whose secondary convolution has all weights fixed to 1 and is not trained. With
 * the channels seen as (L, M), y[l', m] = sum over l of z[l, m], z the result of the primary convolution; then batch norm
 * and ReLU. That it is this special case of IGC: test/unit/special-cases.test.ts; values: test/golden.
 */
import { convolutionMultiplyAdds } from '../nn/conv2d.ts'
import { ConvBlock, IgcBlock } from '../nn/index.ts'
import { Generator } from '../ops/index.ts'
import { ones, type Shape } from '../tensor.ts'
import { checkCount, type IgcNetworkOptions } from './options.ts'
import { Plain, plainDefaults } from './plain.ts'
import { ResNet } from './resnet.ts'

/**
 * Primary L-group 3x3 convolution, the sum over the L partitions, batch norm, ReLU. x [N, H, W, C] to [N, P, Q, K]. Its
 * state is that of an IGC block, where `secondary.weight` is no parameter.
 */
export class SumFusionBlock extends IgcBlock {
  /** @throws ShapeError when L does not divide the channels */
  constructor(options: ConstructorParameters<typeof IgcBlock>[0]) {
    super(options)
    const { weight } = this.secondary
    weight.requiresGrad = false
    using one = ones(weight.shape, { dtype: weight.dtype, device: weight.device })
    weight.assign(one)
  }

  /** Of the primary convolution: a sum multiplies nothing. */
  override multiplyAdds(y: Shape): number {
    return convolutionMultiplyAdds(this.primary.weight, y)
  }
}

function checkPartitions({ primaryPartitions, secondaryPartitions }: IgcNetworkOptions): number {
  checkCount('primaryPartitions', primaryPartitions)
  checkCount('secondaryPartitions', secondaryPartitions)
  return primaryPartitions * secondaryPartitions
}

/** The frame of `plain`. L partitions of M channels in stage 1; M doubles with the width. @throws RangeError */
export function sumfusion(options: IgcNetworkOptions): Plain {
  const width = checkPartitions(options)
  const { secondaryPartitions: _, ...rest } = options
  const shared = plainDefaults(rest)
  return new Plain(
    shared,
    width,
    (inChannels, outChannels, stride) => new SumFusionBlock({ ...shared, inChannels, outChannels, stride }),
  )
}

/** The frame of `resnet`; the projections are grouped by L, as in `resnet_igc`. @throws RangeError */
export function resnetSumfusion(options: IgcNetworkOptions): ResNet {
  const width = checkPartitions(options)
  const { secondaryPartitions: _, ...rest } = options
  const shared = { ...rest, generator: options.generator ?? new Generator(options.seed) }
  const groups = options.primaryPartitions
  return new ResNet(shared, width, {
    layer: (inChannels, outChannels, stride, relu) =>
      new SumFusionBlock({ ...shared, inChannels, outChannels, stride, relu }),
    projection: (inChannels, outChannels, stride) =>
      new ConvBlock({ ...shared, inChannels, outChannels, stride, groups, relu: false, kernel: 1 }),
  })
}
