/**
 * The folder of a run: config.json, metrics.jsonl and metrics.csv (a row per epoch), curves.svg, and the checkpoints of
 * checkpoint.ts; while a run writes, run.lock (run-lock.ts). Checked in test/unit/run-folder.test.ts.
 */
import { existsSync } from 'node:fs'
import { appendFile, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '../directory.ts'
import { DataError } from '../errors.ts'
import { checkIsFile, statOf } from '../file.ts'
import { hasCheckpoint, LAST_STATE, parseConfig, settle } from './checkpoint.ts'
import type { TrainConfig } from './config.ts'
import { drawCurves } from './curves.ts'
import { type Disk, disk, leftovers, writeWhole } from './disk.ts'
import { COLUMNS, type EpochRow } from './metrics.ts'
import { LOCK, RunLock } from './run-lock.ts'

/** The configuration of a run; there from its first step on. */
export const CONFIG = 'config.json'
const JSONL = 'metrics.jsonl'
const CSV = 'metrics.csv'
const CURVES = 'curves.svg'
const HEADER = `${COLUMNS.join(',')}\n`

const jsonLine = (row: EpochRow) => `${JSON.stringify(row)}\n`
const csvLine = (row: EpochRow) => `${COLUMNS.map(key => row[key]).join(',')}\n`

export class RunFolder {
  readonly path: string
  readonly #lock: RunLock
  readonly #disk: Disk

  private constructor(lock: RunLock, on: Disk) {
    this.path = lock.folder
    this.#lock = lock
    this.#disk = on
  }

  /**
   * Makes the folder if need be, and locks it: from here on nobody else writes into it. Whoever calls this releases it.
   * @throws DataError, also when another run writes into the folder
   */
  static async lock(path: string): Promise<RunLock> {
    return explain(path, async () => {
      await makeDirectory(path)
      return await RunLock.acquire(path)
    })
  }

  /** @throws DataError for the folder of another run, or with files of others, unless the run continues one there */
  static async check(path: string, { continues }: { continues: boolean }): Promise<void> {
    if (continues) return
    if (hasCheckpoint(path)) {
      throw new DataError(
        `run folder: expected a folder without a run but ${path} has a checkpoint; resume that run, or name another folder`,
      )
    }
    await explain(path, () => checkIsOurs(path))
  }

  /**
   * Makes a locked folder ready for a run: removes what a killed run left half-written, and writes the configuration and
   * the rows so far, so that a folder that cannot be written to is found before the training.
   * @param run.rows those of the finished epochs; other rows in the files are gone afterwards
   * @param run.continues whether the run continues one in this folder; a new run overwrites no checkpoint, and no files of others
   * @throws DataError, also what check() throws
   */
  static async open(
    lock: RunLock,
    run: { config: TrainConfig; rows: readonly EpochRow[]; continues: boolean },
    on: Disk = disk,
  ): Promise<RunFolder> {
    const { folder: path } = lock
    await RunFolder.check(path, run)
    const folder = new RunFolder(lock, on)
    await explain(path, async () => {
      await settle(path, on)
      const unfinished = await Promise.all([CONFIG, JSONL, CSV, CURVES].map(name => leftovers(join(path, name))))
      // Locks of the removal of a stale lock: there is none any more.
      const removals = (await readdir(path)).filter(name => name.startsWith(`${LOCK}.`)).map(name => join(path, name))
      for (const file of [...unfinished.flat(), ...removals]) await on.remove(file)
    })
    // Before the configuration: a copy that is not finished must not pass for a run at its start.
    await folder.#write(JSONL, run.rows.map(jsonLine).join(''))
    await folder.#write(CSV, HEADER + run.rows.map(csvLine).join(''))
    await folder.draw(run.rows)
    await folder.#write(CONFIG, `${JSON.stringify(run.config, null, 2)}\n`)
    return folder
  }

  /** Before a checkpoint is written. @throws DataError when the folder is not this run's any more */
  async checkLock(): Promise<void> {
    await this.#lock.check()
  }

  /** Appends the row of an epoch. @throws DataError */
  async append(row: EpochRow): Promise<void> {
    await this.checkLock()
    await explain(this.path, async () => {
      await appendFile(join(this.path, JSONL), jsonLine(row))
      await appendFile(join(this.path, CSV), csvLine(row))
    })
  }

  /** Draws the curves anew. @throws DataError */
  async draw(rows: readonly EpochRow[]): Promise<void> {
    await this.#write(CURVES, drawCurves(rows))
  }

  async #write(name: string, text: string): Promise<void> {
    await explain(this.path, () => writeWhole(join(this.path, name), [Buffer.from(text)], this.#disk))
  }
}

/** Whether a run wrote a text; some throw for what none wrote. Those behind the configuration may be there without it. */
const isWritten: Readonly<Record<string, (text: string) => boolean>> = {
  [JSONL]: text => Object.keys(JSON.parse(text.split('\n', 1)[0] as string)).join() === COLUMNS.join(),
  [CSV]: text => text.startsWith(HEADER),
  [CURVES]: text => text.startsWith(drawCurves([]).split('>', 1)[0] as string),
}

/** @throws DataError when what a new run writes into a folder would replace files that no run wrote */
async function checkIsOurs(folder: string): Promise<void> {
  const refuse = (name: string): never => {
    throw new DataError(`run folder: expected no ${name} that is not of a run in ${folder}; name another folder`)
  }
  if (existsSync(join(folder, CONFIG))) return void (await readRunConfig(folder).catch(() => refuse(CONFIG)))
  for (const [name, isOurs] of Object.entries(isWritten)) {
    const stats = statOf('run folder', join(folder, name))
    if (!stats?.isFile() || stats.size === 0) continue // no text that could be lost
    const text = await readFile(join(folder, name), 'utf8')
    try {
      if (!isOurs(text)) refuse(name)
    } catch {
      refuse(name)
    }
  }
}

async function explain<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof DataError) throw cause
    throw new DataError(`run folder: cannot write to ${path}: ${(cause as Error).message}`, { cause })
  }
}

/** The configuration of the run in a folder. @throws DataError */
export async function readRunConfig(folder: string): Promise<TrainConfig> {
  const path = join(folder, CONFIG)
  const stats = statOf('run folder', path)
  if (stats) checkIsFile('run folder', path, stats)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const reason = `cannot read its ${CONFIG}: ${(cause as Error).message}`
    throw new DataError(`run folder: expected a run in ${folder} but ${reason}`, { cause })
  }
  return parseConfig(text, path)
}

/**
 * Whether the run in a folder was killed before its first checkpoint, which comes before the first step: then continuing
 * is starting.
 * @throws DataError when there is a model but no training state, or there are rows: those of a run in another folder, whose
 * continuation failed
 */
export function isBeforeFirstCheckpoint(folder: string): boolean {
  if (existsSync(join(folder, LAST_STATE))) return false
  if (!hasCheckpoint(folder)) {
    if (!statOf('resume', join(folder, JSONL))?.size) return true
    throw new DataError(
      `resume: expected ${LAST_STATE} in ${folder} but found only rows in ${JSONL}: resume the run that they are from`,
    )
  }
  throw new DataError(`resume: expected ${LAST_STATE} in ${folder} but found a model without it`)
}
