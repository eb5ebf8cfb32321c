/**
 * What `reproduce partitions` and `reproduce compare` have in common: the options of the recipe, the run with its progress
 * and signals, and what is printed at the end. Checked in test/cli/reproduce-studies.test.ts.
 */
import { join } from 'node:path'
import type { Command } from 'commander'
import { IgcError } from '../errors.ts'
import type { Column, Member, MemberResult, StudyOptions } from '../reproduce/index.ts'
import type { Progress, TrainConfig } from '../train/index.ts'
import { InterruptedError } from './failure.ts'
import { addDataOptions, addDeviceOptions, checkFileOptions, type DataChoice, deviceFor } from './machine-options.ts'
import type { DeviceChoice } from './names.ts'
import { type Reporter, reporterFor } from './progress.ts'
import { stoppable } from './signals.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'
import { addAugmentation, addScheduleOptions, type ScheduleChoice } from './train-options.ts'
import { path } from './values.ts'

/** What the options of `addStudyOptions` become. */
export interface StudyChoice extends DataChoice, ScheduleChoice {
  device?: DeviceChoice
  threads?: number
  runDir?: string
  json?: boolean
}

/** Adds the recipe and where the study is kept; the networks are the command's own. */
export function addStudyOptions(command: Command, runDirDefault: string): void {
  addDataOptions(command, { dataset: 'digits, which come with igcnet' })
  addAugmentation(command)
  addScheduleOptions(command)
  addDeviceOptions(command)
  command
    .optionsGroup('Study:')
    .option(
      '--run-dir <dir>',
      `folder of the study, in which the same command goes on (default: ${runDirDefault})`,
      path('--run-dir'),
    )
    .option('--json', 'print one JSON object on the last line of standard output; progress goes to standard error')
}

/** The recipe that the options give. @throws UsageError, DeviceError */
export async function recipeOf(choice: StudyChoice, terminal: Terminal): Promise<Partial<TrainConfig>> {
  const { runDir, json, device: deviceChoice, ...given } = choice
  checkFileOptions(given, given.dataset ?? 'digits')
  const device = deviceChoice && (await deviceFor(deviceChoice, terminal.err))
  return { ...given, ...(device && { device }) }
}

/** What a study has when it returns. */
interface Outcome<Row> {
  rows: Row[]
  stopped: boolean
  count: number
  columns: readonly Column<Row>[]
}

/**
 * Runs a study to its end or its first signal, and prints its table.
 * @throws InterruptedError when a signal ended it, IgcError when a network diverged
 */
export async function runStudyCommand<Row extends MemberResult>(
  { runDir, json = false }: { runDir: string; json?: boolean | undefined },
  terminal: Terminal,
  study: (options: Omit<StudyOptions, 'onResult'>) => Promise<Outcome<Row>>,
): Promise<void> {
  const stream = terminal.progress(json)
  let reporter: Reporter | undefined
  const close = () => reporter?.close()
  const onMember: StudyOptions['onMember'] = (member, state) => {
    close()
    const line = memberLine(member, state)
    if (state.finished) stream.write(`${line}\n`)
    else reporter = reporterFor(stream, line)
  }
  await stoppable(
    terminal,
    async ({ signal, exitCode }) => {
      const onProgress = (progress: Progress) => reporter?.show(progress)
      const outcome = await study({ runDir, signal, onMember, onProgress }).finally(close)
      const { rows, stopped, count } = outcome
      if (json) terminal.out(`${JSON.stringify({ runDir, finished: rows.length, of: count, stopped, rows })}\n`)
      const code = exitCode()
      if (stopped && code !== undefined) {
        throw new InterruptedError(code, `stopped after ${rows.length} of ${count} networks; the same command goes on`)
      }
      if (!json) terminal.out(outcomeText(outcome, runDir))
      const diverged = rows.filter(({ testTop1 }) => Number.isNaN(testTop1)).map(({ id }) => id)
      if (diverged.length === 0) return
      throw new IgcError(
        'ERR_IGC_DIVERGED',
        `reproduce: expected finite losses but ${diverged.join(', ')} diverged. A smaller learning rate may help`,
      )
    },
    () => {
      close()
      terminal.err('igcnet: stopping after this step; once more stops at once\n')
    },
    close,
  )
}

function memberLine(
  { title }: Member,
  { index, count, finished }: { index: number; count: number; finished: boolean },
) {
  return `${index + 1}/${count} ${title}${finished ? ': finished before' : ''}`
}

function outcomeText<Row extends object>({ rows, columns }: Outcome<Row>, runDir: string): string {
  const head = columns.map(({ title }) => title)
  const cells = rows.map(row => columns.map(({ key, show }) => show(row[key] as never)))
  const table = formatTable(
    head,
    cells,
    head.map((_, i) => i > 0),
  )
  return `\n${table}\ntable: ${join(runDir, 'table.md')}\nplot: ${join(runDir, 'plot.svg')}\n`
}
