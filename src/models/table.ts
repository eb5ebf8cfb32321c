/**
 * The networks by name, as data: what each one is, where it comes from, which sizes it takes and their defaults, and
 * the images it is made for. Imports nothing that runs, so that help and spelling need no native addon.
 * Builders: index.ts. Checked for every name in test/unit/all-models.test.ts.
 */
import type { Frame, NetworkSizes } from './options.ts'

/** What is known of a network by its name. */
export interface NetworkEntry {
  /** The paper or the authors' file. */
  readonly origin: string
  /** One line for help and documentation. */
  readonly about: string
  /** The sizes that may be chosen, with their defaults. */
  readonly takes: Partial<NetworkSizes>
  /** The sizes that the name stands for, where it is a variant of another network. */
  readonly fixed?: Partial<NetworkSizes>
  /** Edge of the square images in each frame; a network without frames has one. */
  readonly images: Partial<Record<Frame, number>>
  /** Default number of classes. */
  readonly classes: number
  /** Regular convolutions: L and M only make the width L*M, as on the authors' command line. */
  readonly regular?: boolean
  /** Momentum of batch norm by the authors, MXNet's sense. */
  readonly bnMomentum: number
}

const cifar = { images: { cifar: 32 }, classes: 10 }

/** L24M2 at depth 20, the example of the authors. */
const igcSizes = { depth: 20, primaryPartitions: 24, secondaryPartitions: 2 }

/** Every network, in the order of help. The key is its name. */
export const networkTable = {
  plain: {
    origin: 'Zhang et al. 2017, table 2 (RegConv); authors: network/plain.py',
    regular: true,
    about: 'regular convolutions, depth 3B + 2, L*M channels wide',
    takes: igcSizes,
    ...cifar,
    bnMomentum: 0.99,
  },
  plain_igc: {
    origin: 'Zhang et al. 2017, table 2 (IGC-L?M?); authors: network/plain_igc.py',
    about: 'interleaved group convolutions (IGCV1), depth 3B + 2',
    takes: igcSizes,
    ...cifar,
    bnMomentum: 0.99,
  },
  resnet: {
    origin: 'Zhang et al. 2017, section 5 (RegConv+Ident.); authors: network/resnet.py',
    regular: true,
    about: 'regular convolutions with identity shortcuts, depth 6n + 2, L*M channels wide',
    takes: igcSizes,
    ...cifar,
    bnMomentum: 0.9,
  },
  resnet_igc: {
    origin: 'Zhang et al. 2017, section 5 (IGC+Ident.); authors: network/resnet_igc.py',
    about: 'interleaved group convolutions with identity shortcuts, depth 6n + 2',
    takes: { ...igcSizes, consistent: false },
    ...cifar,
    bnMomentum: 0.9,
  },
} as const satisfies Record<string, NetworkEntry>

/** A name that `create` knows. */
export type NetworkName = keyof typeof networkTable

/** All names, in the order of help. */
export const networkNames = Object.keys(networkTable) as NetworkName[]

/** The entry of a name, with all its optional parts. */
export function entryOf(name: NetworkName): NetworkEntry {
  return networkTable[name]
}

/** The sizes of a network with the table's defaults filled in; those that its name fixes are there, too. */
export function sizesOf(name: NetworkName, given: Partial<NetworkSizes> = {}): Partial<NetworkSizes> {
  const { takes, fixed } = entryOf(name)
  const chosen = Object.entries(given).filter(([key, value]) => value !== undefined && key in takes)
  return { ...takes, ...Object.fromEntries(chosen), ...fixed }
}

/** Edge of the images that a network of these sizes is laid out for. */
export function imageSize(name: NetworkName, given: Partial<NetworkSizes> = {}): number {
  const { images } = entryOf(name)
  const { frame = 'cifar' } = sizesOf(name, given)
  return images[frame] ?? 32
}

/** The network and its sizes in one line: `plain_igc, depth 20, L24M2`. */
export function networkTitle(name: NetworkName, given: Partial<NetworkSizes> = {}): string {
  const { depth, primaryPartitions: L, secondaryPartitions: M, ...rest } = sizesOf(name, given)
  const { width, groupChannels, multiplier, growth, permutations, consistent, frame } = rest
  const partitions = M === undefined ? `L${L}` : `L${L}M${M}`
  const labels = [
    depth !== undefined && `depth ${depth}`,
    L !== undefined && (entryOf(name).regular ? `W${L * (M ?? 1)}` : partitions),
    width !== undefined && `W${width}`,
    groupChannels !== undefined && `K${groupChannels}`,
    multiplier !== undefined && `x${multiplier}`,
    growth !== undefined && `${growth} doubles`,
    permutations !== undefined && `permutations ${permutations}`,
    consistent && 'consistent',
    frame !== undefined && `images ${imageSize(name, given)}x${imageSize(name, given)}`,
  ]
  return [name, ...labels.filter(label => label !== false && label !== undefined)].join(', ')
}
