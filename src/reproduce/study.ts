/**
 * A study: several networks trained one after the other with one recipe, each in a run folder of its own. Stopped or killed
 * at any moment, it goes on where it was: a finished member is not trained again, the one under way goes on from its
 * checkpoint. Checked in test/reproduce/study.test.ts.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setThreads } from '../device.ts'
import { IgcError } from '../errors.ts'
import { buildNetwork, type EpochRow, type OnProgress, summarize, type TrainConfig, train } from '../train/index.ts'
import { findRun } from '../train/resume.ts'
import { CONFIG, readRunConfig } from '../train/run-folder.ts'
import { checkStudyFolder } from './study-files.ts'

/** One network of a study. */
export interface Member {
  /** The name of its folder and of its row: letters that every file system takes. */
  id: string
  /** In words. */
  title: string
  config: TrainConfig
}

/**
 * What became of a member. Accuracies are percent; those of the last epoch but for `bestTop1`. Of a network that diverged all
 * that training brings is NaN, and `epochs` 0.
 */
export interface MemberResult {
  id: string
  title: string
  parameters: number
  /** Of one image's forward pass. */
  multiplyAdds: number
  epochs: number
  testTop1: number
  bestTop1: number
  testLoss: number
  trainLoss: number
  /** Milliseconds of training an image, as the run measured it over all its epochs. */
  trainMsPerImage: number
  /** Of the whole run, with its evaluations. */
  seconds: number
}

/** Where a study writes, and whom it tells. */
export interface StudyOptions {
  /** Holds the folders of the members. */
  runDir: string
  /** Abort it, and the step under way is finished, a checkpoint written, and the study returns with `stopped: true`. */
  signal?: AbortSignal | undefined
  /** Told of every member before it is trained, or when it is found finished. */
  onMember?: ((member: Member, state: { index: number; count: number; finished: boolean }) => void) | undefined
  /** As in `train`. */
  onProgress?: OnProgress | undefined
  /** Told of the results so far after every member. */
  onResult?: ((results: readonly MemberResult[]) => Promise<void>) | undefined
}

/** What came out of a study. */
export interface StudyResult {
  /** Of the finished members, in their order. */
  results: MemberResult[]
  /** Whether the signal ended the study before its last member was finished. */
  stopped: boolean
}

/** The members with the threads of the runs that are there already, unless the recipe has its own number. @throws DataError */
export async function withStoredThreads<M extends Member>(
  members: readonly M[],
  recipe: Partial<TrainConfig>,
  runDir: string,
): Promise<readonly M[]> {
  const begun = members.map(({ id }) => join(runDir, id)).find(folder => existsSync(join(folder, CONFIG)))
  if (recipe.threads !== undefined || begun === undefined) return members
  const { threads } = await readRunConfig(begun)
  return members.map(member => ({ ...member, config: { ...member.config, threads } }))
}

/**
 * Trains what is not finished. A network that diverges does not end the study.
 * @throws RangeError for members of the same name, or one whose folder has a run with another configuration; what `train`
 * throws
 */
export async function runStudy(members: readonly Member[], options: StudyOptions): Promise<StudyResult> {
  const { runDir, signal, onMember, onResult } = options
  checkNames(members)
  await checkStudyFolder(
    runDir,
    members.map(({ id }) => id),
  )
  const results: MemberResult[] = []
  for (const [index, member] of members.entries()) {
    const folder = join(runDir, member.id)
    const done = await finishedRows(member, folder)
    onMember?.(member, { index, count: members.length, finished: done !== undefined })
    const rows = done ?? (await trainMember(member, folder, options))
    if (rows === undefined) return { results, stopped: true }
    results.push(resultOf(member, rows))
    await onResult?.(results)
    if (signal?.aborted && index + 1 < members.length) return { results, stopped: true }
  }
  return { results, stopped: false }
}

function checkNames(members: readonly Member[]): void {
  const names = new Set<string>()
  for (const { id } of members) {
    if (names.has(id)) throw new RangeError(`reproduce: expected every network once but received ${id} twice`)
    names.add(id)
  }
}

/** The epochs of a member that is finished, or undefined. */
async function finishedRows({ config }: Member, folder: string): Promise<EpochRow[] | undefined> {
  if (!existsSync(join(folder, CONFIG))) return undefined
  const { state } = (await findRun(folder, config)).checkpoint ?? {}
  return state && state.position.epoch >= config.numEpochs ? state.rows.slice(0, config.numEpochs) : undefined
}

/** Trains a member to its end, from its checkpoint if there is one; undefined when stopped before, no rows when it diverged. */
async function trainMember(
  member: Member,
  folder: string,
  { signal, onProgress }: StudyOptions,
): Promise<EpochRow[] | undefined> {
  if (signal?.aborted) return undefined
  const resume = existsSync(join(folder, CONFIG)) ? folder : undefined
  try {
    const { stopped } = await train(member.config, { runDir: folder, resume, signal, onProgress })
    return stopped ? undefined : finishedRows(member, folder)
  } catch (error) {
    if (error instanceof IgcError && error.code === 'ERR_IGC_DIVERGED') return []
    throw error
  }
}

function resultOf({ id, title, config }: Member, rows: readonly EpochRow[]): MemberResult {
  setThreads(config.threads, config.device)
  const net = buildNetwork(config)
  const { parameters, macs } = summarize(net)
  net.dispose()
  const last = rows.at(-1)
  const mean = (value: (row: EpochRow) => number) => rows.reduce((sum, row) => sum + value(row), 0) / rows.length
  return {
    id,
    title,
    parameters,
    multiplyAdds: macs,
    epochs: rows.length,
    testTop1: last?.testTop1 ?? Number.NaN,
    bestTop1: last ? rows.reduce((best, row) => Math.max(best, row.testTop1), 0) : Number.NaN,
    testLoss: last?.testLoss ?? Number.NaN,
    trainLoss: last?.trainLoss ?? Number.NaN,
    trainMsPerImage: mean(row => 1000 / row.imagesPerSecond),
    seconds: mean(row => row.seconds) * rows.length,
  }
}
