/** The networks of the papers, as functions and by name. What the names are: table.ts. */
import type { Module } from '../nn/index.ts'
import type { Images } from '../ops/index.ts'
import type { FloatDType, Tensor } from '../tensor.ts'
import { igcv2, igcv2MobileNet, resnetIgcv2 } from './igcv2.ts'
import { igcv3D } from './igcv3.ts'
import { type CommonOptions, checkCount, type NetworkSizes } from './options.ts'
import { plain, plainIgc } from './plain.ts'
import { resnet, resnetIgc } from './resnet.ts'
import { resnetIgcImgnetD18, resnetImgnetD18 } from './resnet-imgnet.ts'
import { resnetSumfusion, sumfusion } from './sumfusion.ts'
import { entryOf, type NetworkEntry, type NetworkName, networkNames, type networkTable, sizesOf } from './table.ts'
import { resnetXception, xception } from './xception.ts'

export {
  Igcv2MobileNet,
  type Igcv2MobileNetOptions,
  type Igcv2Options,
  igcv2,
  igcv2MobileNet,
  resnetIgcv2,
} from './igcv2.ts'
export { Igcv3D, type Igcv3Options, igcv3D } from './igcv3.ts'
export type {
  CommonOptions,
  Frame,
  Growth,
  IgcNetworkOptions,
  NetworkOptions,
  NetworkSizes,
  RegularNetworkOptions,
} from './options.ts'
export { Plain, plain, plainIgc } from './plain.ts'
export { ResNet, resnet, resnetIgc } from './resnet.ts'
export {
  type IgcImageNetOptions,
  type ImageNetOptions,
  ResNetImageNet,
  resnetIgcImgnetD18,
  resnetImgnetD18,
} from './resnet-imgnet.ts'
export { resnetSumfusion, sumfusion } from './sumfusion.ts'
export type { NetworkEntry, NetworkName } from './table.ts'
export { resnetXception, xception } from './xception.ts'

/** Any network of this folder: images to logits. */
export type Network = Module<Images, Tensor<readonly [number, number], FloatDType>>

type Taken<N extends NetworkName> = N extends NetworkName ? keyof (typeof networkTable)[N]['takes'] : never

/** What the network of a name takes; without a name, what any of them takes. */
export type NamedOptions<N extends NetworkName = NetworkName> = CommonOptions & Partial<Pick<NetworkSizes, Taken<N>>>

/** All sizes are there that the network takes. */
type Complete = CommonOptions & NetworkSizes

/** L and M as on the authors' command line, where the regular networks have the width L*M. */
function regular({ primaryPartitions, secondaryPartitions = 1, ...options }: Complete) {
  checkCount('primaryPartitions', primaryPartitions)
  checkCount('secondaryPartitions', secondaryPartitions)
  return { ...options, width: primaryPartitions * secondaryPartitions }
}

const imageNetRegular = (options: Complete) => resnetImgnetD18(regular(options))

const builders: Record<NetworkName, (options: Complete) => Network> = {
  plain: options => plain(regular(options)),
  plain_igc: plainIgc,
  resnet: options => resnet(regular(options)),
  resnet_igc: resnetIgc,
  sumfusion,
  resnet_sumfusion: resnetSumfusion,
  xception,
  resnet_xception: resnetXception,
  resnet_imgnet_d18: imageNetRegular,
  resnet_imgnet_d18_w64: imageNetRegular,
  resnet_imgnet_d18_w69: imageNetRegular,
  resnet_igc_imgnet_d18: resnetIgcImgnetD18,
  resnet_igc_imgnet_d18_l4m32: resnetIgcImgnetD18,
  resnet_igc_imgnet_d18_l16m16: resnetIgcImgnetD18,
  resnet_igc_imgnet_d18_l100m2: resnetIgcImgnetD18,
  igcv2,
  resnet_igcv2: resnetIgcv2,
  igcv2_mobilenet: igcv2MobileNet,
  'igcv2_mobilenet_0.5': igcv2MobileNet,
  'igcv2_mobilenet_0.25': igcv2MobileNet,
  igcv3_d: igcv3D,
}

/** A network that can be made: its entry in the table, and the function that makes it. */
export interface NamedNetwork<N extends NetworkName = NetworkName> extends NetworkEntry {
  /** @throws RangeError for a size that does not fit or that the network does not take */
  create(options?: NamedOptions<N>): Network
}

/** All networks by name. */
export const networks = Object.fromEntries(
  networkNames.map(name => [name, { ...entryOf(name), create: (options?: NamedOptions) => create(name, options) }]),
) as { readonly [N in NetworkName]: NamedNetwork<N> }

/**
 * A network by name; what is not given has the default of the table.
 * @throws RangeError for an unknown name, a size that does not fit or that the network does not take
 * @example
 * create('plain_igc', { depth: 20, primaryPartitions: 24, secondaryPartitions: 2 })
 */
export function create<N extends NetworkName>(name: N, options: NamedOptions<N> = {}): Network {
  if (!Object.hasOwn(builders, name)) {
    throw new RangeError(`network: expected one of ${networkNames.join(', ')} but received ${name}`)
  }
  checkTaken(name, options)
  const { classes } = entryOf(name)
  return builders[name]({ classes, ...options, ...sizesOf(name, options as Partial<NetworkSizes>) } as Complete)
}

const sizeNames = new Set(networkNames.flatMap(name => Object.keys(entryOf(name).takes)))

/** What every network takes. */
const common: Record<keyof CommonOptions, true> = {
  classes: true,
  seed: true,
  bnMomentum: true,
  generator: true,
  device: true,
  dtype: true,
}

/** Refuses what would be ignored, or reach a layer; `consistent: false` is what every network is anyway. */
function checkTaken(name: NetworkName, options: CommonOptions): void {
  const sizes = Object.keys(entryOf(name).takes)
  const others = Object.entries(options).filter(([key, value]) => value !== undefined && !sizes.includes(key))
  const size = others.find(([key, value]) => value !== false && sizeNames.has(key))
  if (size !== undefined) {
    throw new RangeError(`${name}: expected only ${sizes.join(', ')} as its sizes but received ${size[0]} ${size[1]}`)
  }
  const unknown = others.find(([key]) => !sizeNames.has(key) && !Object.hasOwn(common, key))
  if (unknown !== undefined) {
    const known = [...sizes, ...Object.keys(common)].join(', ')
    throw new RangeError(`${name}: expected only ${known} but received ${unknown[0]}`)
  }
}
