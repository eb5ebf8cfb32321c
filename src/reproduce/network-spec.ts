/**
 * Networks in one word, as benchmarks name them, too: `plain_igc-L24M2-d20`, `plain-W16-d20`, `resnet_igc`,
 * `igcv3_d-x0.5`. Checked in test/reproduce/network-spec.test.ts.
 */
import type { NetworkName, NetworkSizes } from '../models/index.ts'
import { entryOf, networkNames, sizesOf } from '../models/table.ts'
import type { TrainConfig } from '../train/index.ts'

/** A name, and the sizes that the word has. */
export interface NamedNetwork {
  network: NetworkName
  sizes: Partial<NetworkSizes>
}

const FORM =
  'a name, then of -L24M2, -W16, -K8, -x0.5, -consistent and -d20 those sizes that the network takes, such as plain_igc-L24M2-d20,'

/** What may follow the name. W is L M of regular networks. */
const PARTS: readonly (readonly [RegExp, (...numbers: number[]) => Partial<NetworkSizes>])[] = [
  [/^d(\d+)$/, depth => ({ depth: depth as number })],
  [/^L(\d+)M(\d+)$/, (L, M) => ({ primaryPartitions: L as number, secondaryPartitions: M as number })],
  [/^W(\d+)$/, width => ({ width: width as number })],
  [/^K(\d+)$/, groupChannels => ({ groupChannels: groupChannels as number })],
  [/^x(\d+(?:\.\d+)?)$/, multiplier => ({ multiplier: multiplier as number })],
  [/^consistent$/, () => ({ consistent: true })],
]

/**
 * Reads a word.
 * @throws RangeError for an unknown name, or a size that it does not take
 * @example
 * parseNetwork('plain-W16-d38').sizes // { primaryPartitions: 16, secondaryPartitions: 1, depth: 38 }
 */
export function parseNetwork(word: string): NamedNetwork {
  const [name = '', ...parts] = word.split('-')
  const network = networkNames.find(known => known === name)
  if (network === undefined) {
    throw new RangeError(`networks: expected one of ${networkNames.join(', ')} but received ${JSON.stringify(name)}`)
  }
  const sizes: Partial<NetworkSizes> = {}
  for (const part of parts) {
    const found = sizesOfPart(part, network)
    if (found === undefined || Object.keys(found).some(key => key in sizes)) {
      throw new RangeError(`networks: expected ${FORM} but received ${JSON.stringify(word)}`)
    }
    Object.assign(sizes, found)
  }
  return { network, sizes }
}

/** What a part of a word says of a network that takes it. */
function sizesOfPart(part: string, network: NetworkName): Partial<NetworkSizes> | undefined {
  const { takes, regular = false } = entryOf(network)
  for (const [form, read] of PARTS) {
    const match = form.exec(part)
    if (match === null) continue
    const sizes = read(...match.slice(1).map(Number))
    if (regular && 'primaryPartitions' in sizes) return undefined
    const width = 'secondaryPartitions' in takes ? { secondaryPartitions: 1 } : {}
    const meant = regular && sizes.width ? { primaryPartitions: sizes.width, ...width } : sizes
    return Object.keys(meant).every(key => key in takes) ? meant : undefined
  }
  return undefined
}

/** The word of a network with all the sizes that it takes and that a word can say. */
export function networkId({ network, sizes }: NamedNetwork): string {
  const { takes, regular = false } = entryOf(network)
  const chosen = Object.entries(sizesOf(network, sizes)).filter(([key]) => key in takes)
  const {
    depth,
    primaryPartitions: L,
    secondaryPartitions: M,
    ...rest
  }: Partial<NetworkSizes> = Object.fromEntries(chosen)
  const { width, groupChannels, multiplier, consistent } = rest
  const parts = [
    L !== undefined && (regular ? `W${L * (M ?? 1)}` : `L${L}M${M}`),
    width !== undefined && `W${width}`,
    groupChannels !== undefined && `K${groupChannels}`,
    multiplier !== undefined && `x${multiplier}`,
    consistent && 'consistent',
    depth !== undefined && `d${depth}`,
  ]
  return [network, ...parts.filter(part => part)].join('-')
}

/** The network as a part of a training configuration, which has the authors' names of L and M. */
export function networkConfig({ network, sizes }: NamedNetwork): Partial<TrainConfig> {
  const { primaryPartitions: primaryPartition, secondaryPartitions: secondaryPartition, ...rest } = sizes
  const partitions = { primaryPartition, secondaryPartition }
  const given = Object.entries({ ...rest, ...partitions }).filter(([, value]) => value !== undefined)
  return { ...(Object.fromEntries(given) as Partial<TrainConfig>), network }
}
