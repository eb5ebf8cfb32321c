/** What all networks are made from, and the sizes by which they are named. Imports nothing that runs. */
import type { ModuleOptions } from '../nn/index.ts'

/** What every network takes. */
export interface CommonOptions extends ModuleOptions {
  /** Default: 10; 1000 for the networks of ImageNet. */
  classes?: number
  /** Seed of the initial values when there is no `generator`. Default: 0. */
  seed?: number
  /** Momentum of batch norm, MXNet's sense. Default: the authors' for the network. */
  bnMomentum?: number
}

/** What the networks of the first paper take. */
export interface NetworkOptions extends CommonOptions {
  /** Weighted layers on the main path, at most 10,000. */
  depth: number
}

/** Sizes of the regular networks. */
export interface RegularNetworkOptions extends NetworkOptions {
  /** Channels of the first stage. */
  width: number
}

/** Sizes of the networks of interleaved group convolutions. */
export interface IgcNetworkOptions extends NetworkOptions {
  /** L: groups of the primary convolutions, the same in all stages. */
  primaryPartitions: number
  /** M: groups of the secondary convolutions in the first stage; doubles with the width. */
  secondaryPartitions: number
}

/** Which of the partitions doubles where the width does. */
export type Growth = 'L' | 'M'

/**
 * The images that a network is laid out for: `imagenet` 224x224, `cifar` 32x32 (the same blocks with fewer strides).
 */
export type Frame = 'imagenet' | 'cifar'

/** Everything that makes a named network this size or that; each name takes some of it (src/models/table.ts). */
export interface NetworkSizes {
  /** Weighted layers on the main path. */
  depth: number
  /** L. */
  primaryPartitions: number
  /** M in the first stage. */
  secondaryPartitions: number
  /** resnet_igc without the authors' quirk where the width changes. */
  consistent: boolean
  /** Channels of the first stage, for networks without L and M. */
  width: number
  /** K of IGCV2: channels in a group of its pointwise convolutions. */
  groupChannels: number
  /** Multiplies all widths. */
  multiplier: number
  /** ImageNet IGC networks: what doubles with the width. */
  growth: Growth
  /** IGCV3: permutations in a block, 1 or 2. */
  permutations: number
  /** Default where it is taken: imagenet. */
  frame: Frame
  /** Share of the features in front of the last layer that is set to zero at a training step. */
  dropout: number
}

/** Depth is the one size that is no size of a tensor, so this bound keeps a slip of the hand from filling the memory. */
export const maximumDepth = 10_000

/** Wider than any of the papers; a bound for the reason of `maximumDepth`. */
const MAXIMUM_MULTIPLIER = 64

/** @throws RangeError unless it is a number above 0 and of at most 64 */
export function checkMultiplier(multiplier: number): void {
  if (multiplier > 0 && multiplier <= MAXIMUM_MULTIPLIER) return
  throw new RangeError(
    `network: expected a number above 0 and up to ${MAXIMUM_MULTIPLIER} for multiplier but received ${multiplier}`,
  )
}

/** @throws RangeError unless it is one of the frames */
export function checkFrame(frame: Frame): void {
  if (frame === 'imagenet' || frame === 'cifar') return
  throw new RangeError(`network: expected imagenet or cifar for frame but received ${frame}`)
}

/** @throws RangeError unless the value is a whole number of 1 or more */
export function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`network: expected a whole number of 1 or more for ${name} but received ${value}`)
  }
}
