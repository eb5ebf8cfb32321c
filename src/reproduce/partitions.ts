/**
 * The partition study (Zhang et al. 2017, section 4): plain_igc networks whose blocks cost about the same number of weights,
 * from many primary partitions to one. Checked in test/reproduce/study.test.ts and test/reproduce/plots.test.ts.
 */
import { scaleLinear, scalePoint } from 'd3-scale'
import { type Partitions, partitionsFor } from '../theory/index.ts'
import {
  COLOURS,
  drawColumns,
  drawDocument,
  drawDots,
  drawLegend,
  drawLine,
  drawPanel,
  drawRows,
} from '../train/chart.ts'
import { type TrainConfig, withDefaults } from '../train/index.ts'
import { accuracyRange } from './accuracy-range.ts'
import { type Member, type MemberResult, runStudy, type StudyOptions, withStoredThreads } from './study.ts'
import { type Column, RESULT_COLUMNS, recipeText, type StudyReport, writeStudy } from './study-files.ts'

/** Weights of a block in the paper's study. */
export const PAPER_BUDGET = 4672

/** A row of the study: a shape and what became of its network. */
export type PartitionRow = Partitions & { blockParameters: number } & MemberResult

/** A study of networks of one budget. */
export interface PartitionStudyOptions extends Omit<StudyOptions, 'onResult'> {
  /** Weights of a block of the first stage. Default: 4672, the paper's. */
  budget?: number | undefined
}

/** What came out of it. */
export interface PartitionStudy {
  rows: PartitionRow[]
  stopped: boolean
  /** How many networks the study has. */
  count: number
}

const shapeName = ({ primaryPartitions, secondaryPartitions }: Partitions) =>
  `L${primaryPartitions}M${secondaryPartitions}`

/** The networks of the study, the largest L first. @throws RangeError for a budget without any shape */
export function partitionMembers(
  recipe: Partial<TrainConfig>,
  budget = PAPER_BUDGET,
): (Member & { shape: Partitions })[] {
  const grid = partitionsFor(budget)
  if (grid.length === 0)
    throw new RangeError(`partitions: expected a budget that some L and M meet but received ${budget}`)
  return grid.map(shape => {
    const { primaryPartitions: primaryPartition, secondaryPartitions: secondaryPartition } = shape
    const config = withDefaults({ ...recipe, network: 'plain_igc', primaryPartition, secondaryPartition })
    const id = shapeName(shape)
    return { id, title: `plain_igc, depth ${config.depth}, ${id}`, config, shape }
  })
}

/**
 * Trains the grid, and keeps table and plot in the folder of the study. Call it again to go on.
 * @param recipe of all networks; what is not given has the defaults of `train.withDefaults`
 * @throws RangeError, DataError, and what `train.train` throws
 * @example
 * await reproduce.partitions({ numEpochs: 5 }, { runDir: 'runs/partitions' })
 */
export async function partitions(
  recipe: Partial<TrainConfig>,
  options: PartitionStudyOptions,
): Promise<PartitionStudy> {
  const { budget = PAPER_BUDGET, ...rest } = options
  const members = await withStoredThreads(partitionMembers(recipe, budget), recipe, rest.runDir)
  const shapes = new Map(members.map(({ id, shape }) => [id, shape]))
  const rowsOf = (results: readonly MemberResult[]) =>
    results.map(result => {
      const shape = shapes.get(result.id) as Partitions
      return { ...shape, blockParameters: shape.parameters, ...result }
    })
  const onResult = async (results: readonly MemberResult[]) => {
    const rows = rowsOf(results)
    await writeStudy(options.runDir, reportOf(rows, members, budget))
  }
  const { results, stopped } = await runStudy(members, { ...rest, onResult })
  return { rows: rowsOf(results), stopped, count: members.length }
}

/** The columns of its tables. */
export const PARTITION_COLUMNS: readonly Column<PartitionRow>[] = [
  { key: 'id', title: '', show: String },
  { key: 'primaryPartitions', title: 'L', show: String },
  { key: 'secondaryPartitions', title: 'M', show: String },
  { key: 'width', title: 'width', show: String },
  { key: 'blockParameters', title: 'weights of a block', show: String },
  ...RESULT_COLUMNS,
]

function reportOf(rows: PartitionRow[], members: readonly Member[], budget: number): StudyReport<PartitionRow> {
  const { config } = members[0] as Member
  const title = `Partitions of plain_igc, depth ${config.depth}, with about ${budget} weights a block`
  const recipe = recipeText(config)
  return { title, recipe, columns: PARTITION_COLUMNS, rows, count: members.length, plot: drawPartitions(rows, title) }
}

const SIZE = { width: 860, height: 420 }
const FRAME = { left: 64, top: 56, width: 770, height: 290 }
const [LAST_COLOUR, BEST_COLOUR] = COLOURS

/** Accuracy over (L, M), the width below, in the order of the rows. */
export function drawPartitions(rows: readonly PartitionRow[], title: string): string {
  const x = scalePoint(rows.map(shapeName), [0, FRAME.width]).padding(0.5)
  const y = scaleLinear(accuracyRange(rows.flatMap(({ testTop1, bestTop1 }) => [testTop1, bestTop1])), [
    FRAME.height,
    0,
  ]).nice(5)
  const at = (row: PartitionRow) => x(shapeName(row)) as number
  const marks = rows.map(row => ({
    at: at(row),
    label: `${row.primaryPartitions}, ${row.secondaryPartitions}`,
    below: String(row.width),
  }))
  const points = (value: (row: PartitionRow) => number) => rows.map(row => ({ x: at(row), y: y(value(row)) }))
  // The best epoch is behind and larger, so that it is seen where it is the last.
  const curves = [
    { label: 'best epoch', colour: BEST_COLOUR, radius: 6, points: points(row => row.bestTop1) },
    { label: 'last epoch', colour: LAST_COLOUR, radius: 3.5, points: points(row => row.testTop1) },
  ]
  const panel = drawPanel(FRAME, 'Test top-1 accuracy', [
    drawLegend(curves, FRAME.width, 100),
    drawRows(y, FRAME.width, ' %'),
    drawColumns(marks, FRAME, 'L, M; below: the width L M of the first stage'),
    ...curves.flatMap(({ points, colour, radius }) => [drawLine(points, colour), drawDots(points, colour, radius)]),
  ])
  return drawDocument(SIZE, title, [panel])
}
