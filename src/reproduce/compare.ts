/**
 * Networks compared: trained with one recipe, and their accuracy over parameters, multiply-adds and the time that training
 * took. Checked in test/reproduce/study.test.ts and test/reproduce/plots.test.ts.
 */
import { scaleLinear } from 'd3-scale'
import { entryOf } from '../models/table.ts'
import {
  COLOURS,
  drawColumns,
  drawDocument,
  drawDots,
  drawKey,
  drawLabels,
  drawPanel,
  drawRows,
  type Frame,
} from '../train/chart.ts'
import { type TrainConfig, withDefaults } from '../train/index.ts'
import { accuracyRange } from './accuracy-range.ts'
import { networkConfig, networkId, parseNetwork } from './network-spec.ts'
import { type Member, type MemberResult, runStudy, type StudyOptions, withStoredThreads } from './study.ts'
import { type Column, RESULT_COLUMNS, recipeText, type StudyReport, writeStudy } from './study-files.ts'

/** Networks compared: their rows, and whether a signal ended it before the last. */
export interface Comparisons {
  rows: MemberResult[]
  stopped: boolean
  /** How many networks there are. */
  count: number
}

/** The networks of a comparison, in the order of the words; `depth` is of those that have none. @throws RangeError */
export function comparedMembers(words: readonly string[], recipe: Partial<TrainConfig>): Member[] {
  if (words.length === 0) throw new RangeError('compare: expected at least one network but received none')
  const { depth, ...shared } = recipe
  return words.map(word => {
    const { network, sizes } = parseNetwork(word)
    const takesDepth = 'depth' in entryOf(network).takes
    const named = { network, sizes: { ...(takesDepth && depth !== undefined && { depth }), ...sizes } }
    const id = networkId(named)
    return { id, title: id, config: withDefaults({ ...shared, ...networkConfig(named) }) }
  })
}

/**
 * Trains networks with one recipe, and keeps table and plot in a folder. Call it again to go on.
 * @param words the networks, see `parseNetwork`; what a word leaves open has the defaults of `train.withDefaults`
 * @param recipe of all networks
 * @throws RangeError, DataError, and what `train.train` throws
 * @example
 * await reproduce.compare(['plain-W16', 'plain_igc-L24M2'], { numEpochs: 5 }, { runDir: 'runs/compare' })
 */
export async function compare(
  words: readonly string[],
  recipe: Partial<TrainConfig>,
  options: Omit<StudyOptions, 'onResult'>,
): Promise<Comparisons> {
  const members = await withStoredThreads(comparedMembers(words, recipe), recipe, options.runDir)
  const onResult = (results: readonly MemberResult[]) => writeStudy(options.runDir, reportOf(results, members))
  const { results, stopped } = await runStudy(members, { ...options, onResult })
  return { rows: results, stopped, count: members.length }
}

/** The columns of its tables. */
export const COMPARED_COLUMNS: readonly Column<MemberResult>[] = [
  { key: 'id', title: 'network', show: String },
  ...RESULT_COLUMNS,
]

function reportOf(rows: readonly MemberResult[], members: readonly Member[]): StudyReport<MemberResult> {
  const title = 'Networks compared'
  const recipe = recipeText((members[0] as Member).config)
  return { title, recipe, columns: COMPARED_COLUMNS, rows, count: members.length, plot: drawComparison(rows, title) }
}

const WIDTH = 1080
const PANEL = { top: 56, width: 280, height: 280 }
const MARGIN = 60
const GAP = 60
const KEY_TOP = PANEL.top + PANEL.height + 66
const KEY_ROW = 20

/** What accuracy is drawn over. */
const AXES = [
  { title: 'parameters, millions', value: (row: MemberResult) => row.parameters / 1e6 },
  { title: 'multiply-adds, millions', value: (row: MemberResult) => row.multiplyAdds / 1e6 },
  { title: 'training, ms an image', value: (row: MemberResult) => row.trainMsPerImage },
]

/** A letter a network: A, B, … Z, then 27, 28, … */
const letter = (i: number) => (i < 26 ? String.fromCharCode(65 + i) : String(i + 1))
const colour = (i: number) => COLOURS[i % COLOURS.length] as string

/** Accuracy over parameters, multiply-adds and time; a letter a network, and a key below. */
export function drawComparison(rows: readonly MemberResult[], title: string): string {
  const y = scaleLinear(accuracyRange(rows.map(row => row.testTop1)), [PANEL.height, 0]).nice(5)
  const panels = AXES.map(({ title: name, value }, i) => {
    const frame: Frame = { left: MARGIN + i * (PANEL.width + GAP), ...PANEL }
    const x = scaleLinear([0, Math.max(0, ...rows.map(value).filter(Number.isFinite)) || 1], [0, PANEL.width]).nice(4)
    const marks = x.ticks(4).map(tick => ({ at: x(tick), label: x.tickFormat(4)(tick) }))
    const points = rows.map(row => ({ x: x(value(row)), y: y(row.testTop1) }))
    return drawPanel(frame, i === 0 ? 'Test top-1 accuracy' : '', [
      drawRows(y, PANEL.width, ' %'),
      drawColumns(marks, frame, name),
      ...points.map((point, n) => drawDots([point], colour(n), 4)),
      drawLabels(points.map((point, n) => ({ ...point, label: letter(n) }))),
    ])
  })
  const key = rows.map((row, i) => ({ label: `${letter(i)}  ${row.title}`, colour: colour(i) }))
  const height = KEY_TOP + KEY_ROW * rows.length
  return drawDocument({ width: WIDTH, height }, title, [...panels, drawKey(key, MARGIN, KEY_TOP, KEY_ROW)])
}
