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

const cifar = { images: { cifar: 32 }, classes: 10 } as const
const imagenet = { images: { imagenet: 224, cifar: 32 }, classes: 1000, bnMomentum: 0.9 } as const
const framed = { frame: 'imagenet' } as const

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
  sumfusion: {
    origin: 'Zhang et al. 2017, section 4 (SumFusion, as in ResNeXt)',
    about: 'group convolutions whose L partitions are summed, in the frame of plain',
    takes: { depth: 20, primaryPartitions: 4, secondaryPartitions: 8 },
    ...cifar,
    bnMomentum: 0.99,
  },
  resnet_sumfusion: {
    origin: 'Zhang et al. 2017, section 4 (SumFusion+Ident.)',
    about: 'group convolutions whose L partitions are summed, in the frame of resnet',
    takes: { depth: 20, primaryPartitions: 4, secondaryPartitions: 8 },
    ...cifar,
    bnMomentum: 0.9,
  },
  xception: {
    origin: 'Zhang et al. 2017, section 3.3 (IGC with M = 1); Chollet 2017',
    about: 'channel-wise 3x3, then 1x1 convolutions (IGC with M = 1), in the frame of plain',
    takes: { depth: 20, width: 36 },
    ...cifar,
    bnMomentum: 0.99,
  },
  resnet_xception: {
    origin: 'Zhang et al. 2017, section 3.3 (IGC with M = 1, +Ident.)',
    about: 'channel-wise 3x3, then 1x1 convolutions (IGC with M = 1), in the frame of resnet',
    takes: { depth: 20, width: 36 },
    ...cifar,
    bnMomentum: 0.9,
  },
  resnet_imgnet_d18: {
    origin: 'Zhang et al. 2017, section 5.4 (ResNet); authors: network/resnet_imgnet_d18.py, where L is the width',
    about: 'ResNet of 18 layers, L channels wide',
    regular: true,
    takes: { depth: 18, primaryPartitions: 64, ...framed },
    ...imagenet,
  },
  resnet_imgnet_d18_w64: {
    origin: 'Zhang et al. 2017, ImageNet table (ResNet, C = 64); published graph ResNet18-w64',
    about: 'ResNet of 18 layers, 64 channels wide',
    regular: true,
    takes: framed,
    fixed: { depth: 18, primaryPartitions: 64 },
    ...imagenet,
  },
  resnet_imgnet_d18_w69: {
    origin: 'Zhang et al. 2017, ImageNet table (ResNet, C = 69); published graph ResNet18-w69',
    about: 'ResNet of 18 layers, 69 channels wide',
    regular: true,
    takes: framed,
    fixed: { depth: 18, primaryPartitions: 69 },
    ...imagenet,
  },
  resnet_igc_imgnet_d18: {
    origin: 'Zhang et al. 2017, section 5.4; authors: network/resnet_igc_imgnet_d18.py (L doubles)',
    about: 'IGC network of 18 layers; L or M doubles with the width',
    takes: { depth: 18, primaryPartitions: 100, secondaryPartitions: 1, growth: 'L', ...framed },
    ...imagenet,
  },
  resnet_igc_imgnet_d18_l4m32: {
    origin: 'Zhang et al. 2017, ImageNet table; published graph IGC-L4M32',
    about: 'IGC-L4M32+Ident. of 18 layers',
    takes: framed,
    fixed: { depth: 18, primaryPartitions: 4, secondaryPartitions: 32, growth: 'M' },
    ...imagenet,
  },
  resnet_igc_imgnet_d18_l16m16: {
    origin: 'Zhang et al. 2017, ImageNet table; published graph IGC-L16M16',
    about: 'IGC-L16M16+Ident. of 18 layers',
    takes: framed,
    fixed: { depth: 18, primaryPartitions: 16, secondaryPartitions: 16, growth: 'M' },
    ...imagenet,
  },
  resnet_igc_imgnet_d18_l100m2: {
    origin: 'Zhang et al. 2017, ImageNet table; published graph IGC-L100M2',
    about: 'IGC-L100M2+Ident. of 18 layers',
    takes: framed,
    fixed: { depth: 18, primaryPartitions: 100, secondaryPartitions: 1, growth: 'L' },
    ...imagenet,
  },
  igcv2: {
    origin: 'Xie et al. 2018, section 3',
    about: 'IGCV2: channel-wise 3x3, then pointwise convolutions in groups of K, in the frame of plain',
    takes: { depth: 20, width: 64, groupChannels: 8 },
    ...cifar,
    bnMomentum: 0.99,
  },
  resnet_igcv2: {
    origin: 'Xie et al. 2018, section 3',
    about: 'IGCV2: channel-wise 3x3, then pointwise convolutions in groups of K, in the frame of resnet',
    takes: { depth: 20, width: 64, groupChannels: 8 },
    ...cifar,
    bnMomentum: 0.9,
  },
  igcv2_mobilenet: {
    origin: 'Xie et al. 2018, section 5 (ImageNet); Howard et al. 2017 for the frame',
    about: 'MobileNetV1 with the pointwise convolutions of IGCV2',
    takes: { multiplier: 1, groupChannels: 8, ...framed, dropout: 0 },
    ...imagenet,
  },
  'igcv2_mobilenet_0.5': {
    origin: 'Xie et al. 2018, section 5 (ImageNet, 0.5)',
    about: 'MobileNetV1 0.5 with the pointwise convolutions of IGCV2',
    takes: { ...framed, dropout: 0 },
    fixed: { multiplier: 0.5, groupChannels: 8 },
    ...imagenet,
  },
  'igcv2_mobilenet_0.25': {
    origin: 'Xie et al. 2018, section 5 (ImageNet, 0.25)',
    about: 'MobileNetV1 0.25 with the pointwise convolutions of IGCV2',
    takes: { ...framed, dropout: 0 },
    fixed: { multiplier: 0.25, groupChannels: 8 },
    ...imagenet,
  },
  igcv3_d: {
    origin: 'Sun et al. 2018, table 1; authors: symbols/igcv3.py and its published graph',
    about: 'IGCV3-D: low-rank group convolutions around a channel-wise 3x3 one',
    takes: { multiplier: 1, permutations: 1, ...framed, dropout: 0 },
    ...imagenet,
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
  const { width, groupChannels, multiplier, growth, permutations, consistent, dropout, frame } = rest
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
    dropout && `dropout ${dropout}`,
    frame !== undefined && `images ${imageSize(name, given)}x${imageSize(name, given)}`,
  ]
  return [name, ...labels.filter(label => label)].join(', ')
}

/**
 * One sentence where the authors' printed command builds another network than their table has: theirs for IGC-L100M2,
 * `--network resnet_igc_imgnet_d18 --primary-partition 100`, takes their default of 4 for the secondary partition.
 */
export function warningOf(name: NetworkName, given: Partial<NetworkSizes>): string | undefined {
  const { primaryPartitions, secondaryPartitions, growth = 'L' } = given
  if (name !== 'resnet_igc_imgnet_d18' || primaryPartitions !== 100 || growth !== 'L') return undefined
  const theirs = "the authors' script takes 4 where none is given and so builds a network of 36.9 M parameters"
  if (secondaryPartitions === undefined)
    return `--secondary-partition: ${theirs}; 1, here, is IGC-L100M2 of their table`
  return secondaryPartitions === 4
    ? `--secondary-partition: ${theirs}, as here; IGC-L100M2 of their table is 1`
    : undefined
}
