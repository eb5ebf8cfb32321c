/**
 * What a study leaves in its folder: table.json, table.csv and table.md (a row a network) and plot.svg, written anew after
 * every network. Checked in test/reproduce/study.test.ts.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '../directory.ts'
import { DataError } from '../errors.ts'
import { statOf } from '../file.ts'
import { csvTable, markdownTable, withCommas } from '../table.ts'
import { disk, writeWhole } from '../train/disk.ts'
import type { TrainConfig } from '../train/index.ts'
import type { MemberResult } from './study.ts'

/** The files. */
export const STUDY_FILES = ['table.json', 'table.csv', 'table.md', 'plot.svg'] as const

/** A column of the tables: its name in JSON and CSV, its title in Markdown, and how its values are shown there. */
export interface Column<Row> {
  key: keyof Row & string
  title: string
  show(value: never): string
}

const digits = (count: number) => (value: number) => (Number.isNaN(value) ? 'diverged' : value.toFixed(count))

/** The columns of every study, behind those that say what the network is. */
export const RESULT_COLUMNS: readonly Column<MemberResult>[] = [
  { key: 'parameters', title: 'parameters', show: withCommas },
  { key: 'multiplyAdds', title: 'M multiply-adds', show: (value: number) => (value / 1e6).toFixed(2) },
  { key: 'testTop1', title: 'test top-1 %', show: digits(2) },
  { key: 'bestTop1', title: 'best %', show: digits(2) },
  { key: 'testLoss', title: 'test loss', show: digits(4) },
  { key: 'trainLoss', title: 'train loss', show: digits(4) },
  { key: 'trainMsPerImage', title: 'training ms an image', show: digits(3) },
  { key: 'seconds', title: 'seconds', show: digits(0) },
]

/** A study as it stands. */
export interface StudyReport<Row> {
  /** In words, for the first line. */
  title: string
  /** What all its networks have in common. */
  recipe: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  /** How many there will be. */
  count: number
  plot: string
}

/**
 * Looks at what a study would write over.
 * @param ids of its networks
 * @throws DataError for files that no study wrote, and for those of a study with networks that this one has not
 */
export async function checkStudyFolder(folder: string, ids: readonly string[]): Promise<void> {
  const present = STUDY_FILES.filter(name => statOf('reproduce', join(folder, name))?.size)
  const [table] = STUDY_FILES
  const elsewhere = 'name another folder (--run-dir)'
  if (!present.includes(table)) {
    if (present.length === 0) return
    throw new DataError(`reproduce: expected no ${present[0]} that is not of a study in ${folder}; ${elsewhere}`)
  }
  let rows: { id: string }[]
  try {
    rows = JSON.parse(await readFile(join(folder, table), 'utf8')).rows
    if (!rows.every(({ id }) => typeof id === 'string')) throw new TypeError('rows without a name')
  } catch (cause) {
    throw new DataError(`reproduce: expected no ${table} that is not of a study in ${folder}; ${elsewhere}`, { cause })
  }
  const lost = rows.find(({ id }) => !ids.includes(id))
  if (lost === undefined) return
  throw new DataError(
    `reproduce: expected ${lost.id} among the networks, as in the study in ${folder}, but received ${ids.join(', ')}; ${elsewhere}`,
  )
}

/** Writes the four files, each whole or not at all. @throws DataError */
export async function writeStudy<Row extends object>(folder: string, report: StudyReport<Row>): Promise<void> {
  const { title, recipe, columns, rows, count, plot } = report
  const keys = columns.map(({ key }) => key)
  const texts: Record<(typeof STUDY_FILES)[number], string> = {
    'table.json': `${JSON.stringify({ title, recipe, finished: rows.length, of: count, rows }, null, 2)}\n`,
    'table.csv': csvTable(
      keys,
      rows.map(row => keys.map(key => row[key] as string | number)),
    ),
    'table.md': studyMarkdown(report),
    'plot.svg': plot,
  }
  try {
    await makeDirectory(folder)
    for (const name of STUDY_FILES) await writeWhole(join(folder, name), [Buffer.from(texts[name])], disk)
  } catch (cause) {
    throw new DataError(`reproduce: cannot write to ${folder}: ${(cause as Error).message}`, { cause })
  }
}

/** The table as Markdown, with its title and recipe. */
export function studyMarkdown<Row extends object>({ title, recipe, columns, rows, count }: StudyReport<Row>): string {
  const shown = rows.map(row => columns.map(({ key, show }) => show(row[key] as never)))
  const head = columns.map(column => column.title)
  const left = rows.length < count ? `\n${rows.length} of ${count} networks so far.\n` : ''
  return `# ${title}\n\n${recipe}\n\n${markdownTable(head, shown)}${left}`
}

/** The recipe of a configuration in one sentence. */
export function recipeText(config: TrainConfig): string {
  const { dataset, trainExamples, testExamples, numEpochs, batchSize, lr, lrFactor, lrSteps, augType, randSeed } =
    config
  const part = (examples: number | undefined, split: string) =>
    examples === undefined ? `all ${split} images` : `the first ${withCommas(examples)} ${split} images`
  const within = lrSteps.filter(step => step < numEpochs)
  const steps = within.length === 0 ? '' : `, times ${lrFactor} after ${within.join(', ')} epochs`
  return (
    `${dataset}, ${part(trainExamples, 'training')} and ${part(testExamples, 'test')}; ${numEpochs} ` +
    `epoch${numEpochs === 1 ? '' : 's'}, batches of ${batchSize}, learning rate ${lr}${steps}, ` +
    `${augType === 'paper' ? 'augmented as in the paper' : 'not augmented'}, seed ${randSeed}; ` +
    `${config.device}, ${config.threads} thread${config.threads === 1 ? '' : 's'}.`
  )
}
