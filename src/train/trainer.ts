/**
 * The training loop of the papers (Zhang et al. 2017, the authors' scripts): SGD with Nesterov momentum, weight decay on
 * every parameter, a learning rate that falls in steps, the whole test set after every epoch.
 * Checked in test/unit/trainer.test.ts, with killed processes in test/train/resume.test.ts.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DownloadProgress, Loader, PlainBatch } from '../data/index.ts'
import { setThreads } from '../device.ts'
import type { Network } from '../models/index.ts'
import { Dropout } from '../nn/index.ts'
import { multiStep, type Schedule, type Sgd, sgd } from '../optim/index.ts'
import type { Tensor } from '../tensor.ts'
import {
  BEST,
  type Checkpoint,
  findBest,
  LAST,
  type StoredModel,
  saveBest,
  saveCheckpoint,
  storeModel,
} from './checkpoint.ts'
import { checkConfig, type TrainConfig } from './config.ts'
import { openDataset, withClassNames } from './dataset.ts'
import { type Disk, disk } from './disk.ts'
import { checkFinite, checkLoss } from './diverged.ts'
import { type Evaluation, evaluate, type readResults } from './evaluate.ts'
import { countTopK, type EpochRow, percent } from './metrics.ts'
import { buildNetwork, readTensors, restoreNetwork, writeTensors } from './network.ts'
import { checkOptions, type TrainOptions } from './options.ts'
import type { OnProgress } from './progress.ts'
import { checkPosition, findRun, isSame } from './resume.ts'
import { RunFolder } from './run-folder.ts'
import type { RunLock } from './run-lock.ts'
import { Steps } from './step.ts'
import { freshPartial, freshState, type TrainingState } from './training-state.ts'

/** Metrics are those of the last finished epoch, NaN before the first. Accuracies are percent. */
export interface TrainResult {
  testTop1: number
  testTop5: number
  testLoss: number
  trainLoss: number
  trainTop1: number
  /** Finished epochs and optimiser steps, and seconds of work, of the whole run with its parts before a resume. */
  epochs: number
  steps: number
  seconds: number
  /** Of training alone. */
  imagesPerSecond: number
  runDir: string
  /** The path of last.safetensors. */
  checkpoint: string
  /** Of the epochs whose model there is: a resumed run that lost its best one begins anew. Null: none. */
  best: { epoch: number; testTop1: number; path: string } | null
  /** SHA-256 of the weights in `checkpoint`: names, dtypes, shapes and values (src/train/safetensors.ts). */
  weightsSha256: string
  /** Whether the signal ended the run before its last epoch. */
  stopped: boolean
}

/**
 * Trains a network and keeps the run in a folder. One device and number of threads, one configuration: the same bits,
 * also when the run is interrupted at any moment and resumed.
 * @throws RangeError, TypeError for a configuration that makes no sense or differs from that of the resumed run;
 * DataError for files that are missing, damaged or cannot be written, or a folder that another run writes into; IgcError
 * with the code ERR_IGC_DIVERGED when loss or weights are no finite numbers any more
 * @example
 * const result = await train(withDefaults({ depth: 8 }), { runDir: 'runs/first' })
 * console.log(`${result.testTop1} %`)
 */
export async function train(config: TrainConfig, options: TrainOptions): Promise<TrainResult> {
  const checked = checkConfig({ ...config })
  checkOptions(options)
  const { runDir } = options
  const held: { lock?: RunLock } = {}
  const lockFolder = async () => {
    held.lock ??= await RunFolder.lock(runDir)
    return held.lock
  }
  try {
    // Before a checkpoint is read, so that nobody writes a newer one meanwhile. What fails early makes no folder.
    if (existsSync(runDir)) await lockFolder()
    return await trainIn(lockFolder, checked, options)
  } finally {
    await held.lock?.release()
  }
}

type LockFolder = () => Promise<RunLock>

/** Trains in the folder that `lockFolder` makes and locks. */
async function trainIn(lockFolder: LockFolder, given: TrainConfig, options: TrainOptions): Promise<TrainResult> {
  const { runDir, resume, signal, onProgress, disk: on = disk } = options
  const source = resume === undefined ? undefined : await findRun(resume, given)
  const checked = withClassNames(given, source?.config)
  const checkpoint = source?.checkpoint
  setThreads(checked.threads, checked.device) // what the system does not give makes no folder
  const net = checkpoint ? restoreNetwork(checkpoint.model, checked, source.path) : buildNetwork(checked)
  const onDownload = (received: DownloadProgress) => onProgress?.({ kind: 'download', ...received })
  const loaders: Loader[] = []
  let training: Training | undefined
  try {
    for (const split of ['train', 'test'] as const)
      loaders.push(openDataset(checked, split, { onProgress: onDownload }))
    const [trainData, testData] = loaders as [Loader, Loader]
    const state = checkpoint?.state ?? freshState()
    if (source) checkPosition(state, trainData, source.path)
    const best = checkpoint && (await findBest(source.folder, checkpoint))
    if (!best) state.best = null
    const run = { config: checked, rows: state.rows, continues: source !== undefined && isSame(source.folder, runDir) }
    if (existsSync(runDir)) await RunFolder.check(runDir, run) // before a download
    await untilAborted(loaders, signal) // data that cannot be read leave no run
    const folder = await RunFolder.open(await lockFolder(), run, on)
    training = new Training({ config: checked, net, trainData, testData, folder, state, signal, onProgress, on })
    if (checkpoint) await training.restore(checkpoint, source.path)
    // So that there is one from the first moment on, and a full disk is found before the training.
    if (!checkpoint || !run.continues) await training.save()
    if (best && (!run.continues || best === checkpoint?.model)) await saveBest(folder.path, best, on)
    return await training.run()
  } finally {
    training?.dispose()
    net.dispose()
    for (const loader of loaders) await loader.close()
  }
}

/** Reads (and downloads) the data sets; an abort ends that without an error. */
async function untilAborted(loaders: readonly Loader[], signal: AbortSignal | undefined): Promise<void> {
  const close = () => {
    for (const loader of loaders) void loader.close()
  }
  signal?.addEventListener('abort', close)
  try {
    for (const loader of loaders) if (!signal?.aborted) await loader.ready()
  } catch (error) {
    if (!signal?.aborted) throw error
  } finally {
    signal?.removeEventListener('abort', close)
  }
}

interface Parts {
  config: TrainConfig
  net: Network
  trainData: Loader
  testData: Loader
  folder: RunFolder
  state: TrainingState
  signal: AbortSignal | undefined
  onProgress: OnProgress | undefined
  on: Disk
}

/** A step that the device works on. */
interface Pending {
  labels: Int32Array
  results: ReturnType<typeof readResults>
}

/** A run under way. The state is that of the steps whose results are known: at the end of every method, all. */
class Training {
  readonly #parts: Parts
  readonly #sgd: Sgd
  readonly #steps: Steps
  readonly #schedule: Schedule
  #weightsSha256 = ''
  #mark = 0

  constructor(parts: Parts) {
    const { lr, momentum, weightDecay, lrSteps, lrFactor } = parts.config
    this.#parts = parts
    this.#sgd = sgd(parts.net.parameters(), { lr, momentum, weightDecay, nesterov: true })
    this.#steps = new Steps(parts.net, this.#sgd, parts.config)
    this.#schedule = multiStep({ lr, steps: lrSteps, factor: lrFactor })
  }

  /** The velocities by the names of their parameters. */
  #velocities(): [string, Tensor][] {
    const velocities = this.#sgd.state()
    return this.#parts.net.namedParameters().map(([name], i) => [name, velocities[i] as Tensor])
  }

  async restore({ velocities, model }: Checkpoint, path: string): Promise<void> {
    writeTensors(this.#velocities(), velocities, `the training state beside ${path}`)
    this.#weightsSha256 = model.weightsSha256
    const { net, state } = this.#parts
    if (state.lossScale) this.#steps.scaler?.loadState(state.lossScale)
    for (const [, module] of net.namedModules()) if (module instanceof Dropout) module.step = state.steps
  }

  /** Writes a checkpoint of this moment. */
  async save(): Promise<void> {
    await this.#save(await this.#model())
  }

  async run(): Promise<TrainResult> {
    const { config, state, signal } = this.#parts
    while (state.position.epoch < config.numEpochs && !signal?.aborted) {
      await this.#trainEpoch()
      const test = signal?.aborted ? undefined : await this.#evaluate()
      if (test) await this.#finishEpoch(test)
    }
    const stopped = state.position.epoch < config.numEpochs
    if (stopped) await this.save()
    return this.#result(stopped)
  }

  /** Frees the velocities and what was recorded. */
  dispose(): void {
    this.#steps.dispose()
    this.#sgd.dispose()
  }

  /** Runs what is left of the epoch. While the device works on a step, the next one is prepared and enqueued. */
  async #trainEpoch(): Promise<void> {
    const { net, trainData, state, signal } = this.#parts
    net.train()
    this.#sgd.lr = this.#schedule(state.position.epoch)
    trainData.loadState(state.position)
    this.#mark = performance.now()
    let pending: Pending | undefined
    for await (const batch of trainData.plainBatches()) {
      if (signal?.aborted) break
      const before = pending
      pending = this.#step(batch)
      if (before) await this.#settle(before)
      if (this.#steps.scaler === undefined) continue
      await this.#settle(pending)
      pending = undefined
    }
    if (pending) await this.#settle(pending)
  }

  /** Enqueues one step of the optimiser. Another run may have set its number of threads since the last one. */
  #step(batch: PlainBatch): Pending {
    const { threads, device } = this.#parts.config
    setThreads(threads, device)
    return { labels: batch.labels.slice(), results: this.#steps.enqueue(batch) }
  }

  /** Waits for a step and counts it. */
  async #settle({ labels, results }: Pending): Promise<void> {
    const { state, config, trainData, onProgress } = this.#parts
    const { partial, position } = state
    const { loss, logits } = await results
    checkLoss(loss, position)
    const seconds = this.#lap()
    partial.loss += loss
    if (this.#steps.scaler) state.lossScale = this.#steps.scaler.state()
    partial.correct += countTopK(logits, labels, { classes: config.numClasses, k: 1 })
    partial.examples += labels.length
    partial.steps++
    partial.seconds += seconds
    partial.trainSeconds += seconds
    position.batch++
    state.steps++
    await onProgress?.({
      kind: 'step',
      epoch: position.epoch,
      epochs: config.numEpochs,
      step: position.batch,
      steps: trainData.batchesPerEpoch,
      loss: partial.loss / partial.steps,
      top1: percent(partial.correct, partial.examples),
      lr: this.#sgd.lr,
      imagesPerSecond: partial.examples / partial.trainSeconds,
      secondsLeft: this.#secondsLeft(),
    })
  }

  /** Seconds since the last call. */
  #lap(): number {
    const now = performance.now()
    const seconds = (now - this.#mark) / 1000
    this.#mark = now
    return seconds
  }

  /** Over the whole test set, or undefined when the signal ends it. */
  async #evaluate(): Promise<Evaluation | undefined> {
    const { net, testData, config, state, signal } = this.#parts
    this.#mark = performance.now()
    this.#steps.yieldMemory()
    try {
      return await evaluate(net, testData, { device: config.device, threads: config.threads, signal })
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return undefined
      throw error
    } finally {
      state.partial.seconds += this.#lap()
    }
  }

  /** Keeps the metrics of an epoch, the best model and a checkpoint, in this order: a run killed in between repeats it. */
  async #finishEpoch(test: Evaluation): Promise<void> {
    const { config, state, folder, onProgress, on } = this.#parts
    const { partial, position } = state
    const row: EpochRow = {
      epoch: position.epoch,
      trainLoss: partial.loss / partial.steps,
      trainTop1: percent(partial.correct, partial.examples),
      testLoss: test.loss,
      testTop1: test.top1,
      testTop5: test.top5,
      lr: this.#sgd.lr,
      seconds: partial.seconds,
      imagesPerSecond: partial.examples / partial.trainSeconds,
    }
    const isBest = state.best === null || row.testTop1 > state.best.testTop1
    const isDue = (row.epoch + 1) % config.checkpointEpochs === 0 || row.epoch + 1 === config.numEpochs
    const model = isBest || isDue ? await this.#model() : undefined
    state.rows.push(row)
    state.partial = freshPartial()
    state.position = { epoch: row.epoch + 1, batch: 0 }
    if (model && isBest) {
      state.best = { epoch: row.epoch, testTop1: row.testTop1, weightsSha256: model.weightsSha256 }
    }
    await folder.append(row)
    await folder.draw(state.rows)
    await onProgress?.({ kind: 'epoch', epochs: config.numEpochs, best: isBest, ...row })
    if (model && isBest) await saveBest(folder.path, model, on)
    if (model && isDue) await this.#save(model)
  }

  /** The model of this moment, to be kept. @throws IgcError when it went astray */
  async #model(): Promise<StoredModel> {
    const { config, net, state } = this.#parts
    const tensors = await readTensors(Object.entries(net.state()))
    checkFinite(tensors, state.steps)
    return storeModel(config, tensors)
  }

  async #save(model: StoredModel): Promise<void> {
    const { state, folder, onProgress, on } = this.#parts
    await folder.checkLock()
    const velocities = await readTensors(this.#velocities())
    await saveCheckpoint(folder.path, { model, velocities, state }, on)
    this.#weightsSha256 = model.weightsSha256
    await onProgress?.({ kind: 'checkpoint', path: join(folder.path, LAST) })
  }

  /** Images of the whole run and the seconds of training them. */
  #trained(): { images: number; seconds: number } {
    const { rows, partial } = this.#parts.state
    const perEpoch = this.#parts.trainData.batchesPerEpoch * this.#parts.config.batchSize
    const seconds = rows.reduce((sum, row) => sum + perEpoch / row.imagesPerSecond, partial.trainSeconds)
    return { images: rows.length * perEpoch + partial.examples, seconds }
  }

  #seconds(): number {
    const { rows, partial } = this.#parts.state
    return rows.reduce((sum, { seconds }) => sum + seconds, partial.seconds)
  }

  /** By the mean time of a step so far, and of an evaluation once there was one. */
  #secondsLeft(): number {
    const { config, state, trainData } = this.#parts
    const training = this.#trained().seconds
    const evaluations = state.rows.length
    const perEvaluation = evaluations === 0 ? 0 : (this.#seconds() - training) / evaluations
    const stepsLeft = config.numEpochs * trainData.batchesPerEpoch - state.steps
    return (stepsLeft * training) / state.steps + perEvaluation * (config.numEpochs - evaluations)
  }

  #result(stopped: boolean): TrainResult {
    const { state, folder } = this.#parts
    const { best } = state
    const last = state.rows.at(-1)
    const { images, seconds } = this.#trained()
    return {
      testTop1: last?.testTop1 ?? Number.NaN,
      testTop5: last?.testTop5 ?? Number.NaN,
      testLoss: last?.testLoss ?? Number.NaN,
      trainLoss: last?.trainLoss ?? Number.NaN,
      trainTop1: last?.trainTop1 ?? Number.NaN,
      epochs: state.position.epoch,
      steps: state.steps,
      seconds: this.#seconds(),
      imagesPerSecond: images / seconds,
      runDir: folder.path,
      checkpoint: join(folder.path, LAST),
      best: best && { epoch: best.epoch, testTop1: best.testTop1, path: join(folder.path, BEST) },
      weightsSha256: this.#weightsSha256,
      stopped,
    }
  }
}
