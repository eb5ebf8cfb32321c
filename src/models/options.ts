/** What all networks are made from. */
import type { ModuleOptions } from '../nn/index.ts'

export interface NetworkOptions extends ModuleOptions {
  /** Weighted layers on the main path, at most 10,000. */
  depth: number
  /** Default: 10. */
  classes?: number
  /** Seed of the initial values when there is no `generator`. Default: 0. */
  seed?: number
  /** Momentum of batch norm, MXNet's sense. Default: the authors' for the network. */
  bnMomentum?: number
}

export interface RegularNetworkOptions extends NetworkOptions {
  /** Channels of the first stage. */
  width: number
}

export interface IgcNetworkOptions extends NetworkOptions {
  /** L: groups of the primary convolutions, the same in all stages. */
  primaryPartitions: number
  /** M: groups of the secondary convolutions in the first stage; doubles with the width. */
  secondaryPartitions: number
}

/** Depth is the one size that is no size of a tensor, so this bound keeps a slip of the hand from filling the memory. */
export const maximumDepth = 10_000

/** @throws RangeError unless the value is a whole number of 1 or more */
export function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`network: expected a whole number of 1 or more for ${name} but received ${value}`)
  }
}
