/** The networks that are measured, for all benchmarks. Checked in test/benchmarks/. */
import type { NetworkName } from '../src/models/index.ts'
import { partitionsFor } from '../src/theory/index.ts'

export interface NetworkCase {
  /** `plain_igc-L24M2-d20`. */
  readonly id: string
  readonly network: NetworkName
  readonly depth: number
  readonly primaryPartition: number
  readonly secondaryPartition: number
}

function networkCase(network: NetworkName, depth: number, L: number, M: number): NetworkCase {
  const width = network.endsWith('igc') ? `L${L}M${M}` : `W${L * M}`
  return { id: `${network}-${width}-d${depth}`, network, depth, primaryPartition: L, secondaryPartition: M }
}

/** The networks of the paper's comparison: interleaved ones, and the regular ones that they stand against. */
export const networkCases: readonly NetworkCase[] = [
  networkCase('plain_igc', 20, 24, 2),
  networkCase('plain_igc', 38, 24, 2),
  networkCase('plain_igc', 20, 4, 8),
  networkCase('resnet_igc', 20, 24, 2),
  networkCase('plain', 20, 16, 1),
  networkCase('resnet', 20, 16, 1),
]

/** The weights of a block in the paper's study of partitions, in every shape that there is. */
const STUDY_WEIGHTS = 4672

/** L24M2, the yardstick, and every member of the study, as plain_igc of depth 20. */
export const gridCases: readonly NetworkCase[] = [
  networkCase('plain_igc', 20, 24, 2),
  ...partitionsFor(STUDY_WEIGHTS).map(({ primaryPartitions: L, secondaryPartitions: M }) =>
    networkCase('plain_igc', 20, L, M),
  ),
]
