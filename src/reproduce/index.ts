/** The papers' tables and studies, computed: `import { reproduce } from 'igcnet'`. */

export { COMPARED_COLUMNS, type Comparisons, compare, comparedMembers } from './compare.ts'
export {
  type Comparison,
  type CountedRow,
  type CountedTable,
  type CountOptions,
  countTables,
  differences,
} from './counts.ts'
export { type NamedNetwork, networkId, parseNetwork } from './network-spec.ts'
export {
  PARTITION_COLUMNS,
  type PartitionRow,
  type PartitionStudy,
  type PartitionStudyOptions,
  partitionMembers,
  partitions,
} from './partitions.ts'
export type { Member, MemberResult, StudyOptions } from './study.ts'
export type { Column } from './study-files.ts'
