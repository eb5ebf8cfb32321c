/** The papers' tables and studies, computed: `import { reproduce } from 'igcnet'`. */
export {
  type Comparison,
  type CountedRow,
  type CountedTable,
  type CountOptions,
  countTables,
  differences,
} from './counts.ts'
