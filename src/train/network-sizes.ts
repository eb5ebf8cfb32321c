/**
 * The sizes of a network under the names of a configuration, which are those of the authors' command line, and under the
 * names of `models`. Checked in test/unit/train-config.test.ts.
 */
import type { Frame, Growth, NetworkName, NetworkSizes } from '../models/index.ts'
import { entryOf } from '../models/table.ts'

/** What a network takes is there, the rest is undefined (src/models/table.ts). */
export interface ConfigSizes {
  /** Weighted layers on the main path. */
  depth?: number | undefined
  /** L. The regular networks have the width L*M. */
  primaryPartition?: number | undefined
  /** M in the first stage. */
  secondaryPartition?: number | undefined
  /** Channels of the first stage, for networks without L and M. */
  width?: number | undefined
  /** K of IGCV2. */
  groupChannels?: number | undefined
  /** Multiplies all widths. */
  multiplier?: number | undefined
  /** ImageNet IGC networks: what doubles with the width. */
  growth?: Growth | undefined
  /** IGCV3: permutations in a block. */
  permutations?: number | undefined
  /** Default: cifar, as all data sets have images of 32x32. */
  frame?: Frame | undefined
  /** Share of the features in front of the last layer that is set to zero at a training step. Default: 0. */
  dropout?: number | undefined
}

/** All of them. */
export const SIZE_KEYS = [
  'depth',
  'primaryPartition',
  'secondaryPartition',
  'width',
  'groupChannels',
  'multiplier',
  'growth',
  'permutations',
  'frame',
  'dropout',
] as const satisfies readonly (keyof ConfigSizes)[]

/** Under the names of `models`. Undefined ones are left out. */
export function toModelSizes(
  config: ConfigSizes & { consistent?: boolean | undefined },
): Partial<Omit<NetworkSizes, 'consistent'>> & { consistent?: boolean } {
  const { consistent } = config
  const sizes = SIZE_KEYS.filter(key => config[key] !== undefined).map(key => [modelKey(key), config[key]])
  return { ...Object.fromEntries(sizes), ...(consistent && { consistent }) }
}

function modelKey(key: keyof ConfigSizes): keyof NetworkSizes {
  return key === 'primaryPartition' || key === 'secondaryPartition' ? `${key}s` : key
}

/** Whether a size of a configuration may be chosen for a network. */
export function takesSize(network: NetworkName, key: keyof ConfigSizes): boolean {
  return modelKey(key) in entryOf(network).takes
}

/** The defaults of what a network takes, for images of 32x32. */
export function defaultSizes(network: NetworkName): ConfigSizes {
  const { takes } = entryOf(network)
  const taken = SIZE_KEYS.filter(key => takesSize(network, key))
  const sizes: ConfigSizes = Object.fromEntries(taken.map(key => [key, takes[modelKey(key)]]))
  return 'frame' in sizes ? { ...sizes, frame: 'cifar' } : sizes
}
