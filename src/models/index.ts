/** The networks of the papers, as functions and by the authors' names. */
import type { Module } from '../nn/index.ts'
import type { Images } from '../ops/index.ts'
import type { FloatDType, Tensor } from '../tensor.ts'
import type { IgcNetworkOptions } from './options.ts'
import { plain, plainIgc } from './plain.ts'
import { resnet, resnetIgc } from './resnet.ts'

export type { IgcNetworkOptions, NetworkOptions, RegularNetworkOptions } from './options.ts'
export { Plain, plain, plainIgc } from './plain.ts'
export { ResNet, resnet, resnetIgc } from './resnet.ts'

/** Any network of this folder: images to logits. */
export type Network = Module<Images, Tensor<readonly [number, number], FloatDType>>

/** L and M as on the authors' command line, where the regular networks have the width L*M. */
export type NamedOptions = IgcNetworkOptions & { consistent?: boolean }

/** The authors' names. */
export const networks = {
  plain: (options: NamedOptions) => plain({ ...options, width: width(options) }),
  plain_igc: plainIgc,
  resnet: (options: NamedOptions) => resnet({ ...options, width: width(options) }),
  resnet_igc: resnetIgc,
} satisfies Record<string, (options: NamedOptions) => Network>

/** A name that `create` knows. */
export type NetworkName = keyof typeof networks

function width(options: NamedOptions): number {
  return options.primaryPartitions * options.secondaryPartitions
}

/**
 * A network by the authors' name: `create('plain_igc', { depth: 20, primaryPartitions: 24, secondaryPartitions: 2 })`.
 * @throws RangeError for an unknown name, a depth that does not fit, partitions that are not whole numbers of 1 or more
 */
export function create(name: NetworkName, options: NamedOptions): Network {
  if (!Object.hasOwn(networks, name)) {
    throw new RangeError(`network: expected one of ${Object.keys(networks).join(', ')} but received ${name}`)
  }
  return networks[name](options)
}
