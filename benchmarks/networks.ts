/** The networks that are measured, for all benchmarks. Checked in test/benchmarks/. */
import type { NetworkName } from '../src/models/index.ts'

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

/** The paper's study of partitions: about the parameters of one block, 4,672, in every shape that there is. */
const PARTITION_STUDY = [
  [64, 1],
  [40, 2],
  [28, 3],
  [21, 4],
  [12, 6],
  [9, 7],
  [6, 9],
  [5, 10],
  [3, 13],
  [2, 16],
  [1, 23],
] as const

/** L24M2, the yardstick, and every member of the study, as plain_igc of depth 20. */
export const gridCases: readonly NetworkCase[] = [
  networkCase('plain_igc', 20, 24, 2),
  ...PARTITION_STUDY.map(([L, M]) => networkCase('plain_igc', 20, L, M)),
]
