/** Finding the run to continue. Checked in test/unit/trainer.test.ts. */
import { join } from 'node:path'
import type { Loader } from '../data/index.ts'
import { DataError } from '../errors.ts'
import { statOf } from '../file.ts'
import { type Checkpoint, folderOf, LAST, loadCheckpoint } from './checkpoint.ts'
import { differences, type TrainConfig } from './config.ts'
import { isBeforeFirstCheckpoint, readRunConfig } from './run-folder.ts'
import type { TrainingState } from './training-state.ts'

/** The run to continue. */
export interface Source {
  folder: string
  config: TrainConfig
  /** Of the model, for messages. */
  path: string
  /** Undefined for a run that was killed before its first. */
  checkpoint: Checkpoint | undefined
}

/**
 * Reads the run that a path means (a run folder or its last.safetensors).
 * @throws RangeError when `config` differs from the run's in what matters; DataError
 */
export async function findRun(resume: string, config: TrainConfig): Promise<Source> {
  const folder = folderOf(resume)
  const stored = await readRunConfig(folder)
  const [key] = differences(stored, config)
  if (key !== undefined) {
    throw new RangeError(
      `resume: expected ${inWords(stored, key)} of the run in ${folder} but received ${shown(config, key)}`,
    )
  }
  const checkpoint = isBeforeFirstCheckpoint(folder) ? undefined : await loadCheckpoint(folder)
  const path = join(folder, LAST)
  if (checkpoint) checkStored(stored, config, checkpoint, path)
  return { folder, config: stored, path, checkpoint }
}

/** @throws DataError when config.json is not that of the checkpoint; RangeError for an end before where it stands */
function checkStored(stored: TrainConfig, given: TrainConfig, { model, state }: Checkpoint, path: string): void {
  const [key] = differences(model.config, stored)
  if (key !== undefined) {
    throw new DataError(
      `resume: expected ${inWords(model.config, key)} of ${path} in config.json but found ${shown(stored, key)}`,
    )
  }
  const { epoch, batch } = state.position
  if (batch > 0 && given.numEpochs <= epoch) {
    throw new RangeError(
      `resume: expected numEpochs of ${epoch + 1} or more, as ${path} stands in the middle of epoch ${epoch + 1}, but received ` +
        `${given.numEpochs}`,
    )
  }
}

const inWords = (config: TrainConfig, key: keyof TrainConfig) =>
  config[key] === undefined ? `no ${key}` : `the ${key} ${JSON.stringify(config[key])}`
const shown = (config: TrainConfig, key: keyof TrainConfig) => JSON.stringify(config[key]) ?? 'none'

/** Whether both paths lead to one folder. */
export function isSame(a: string, b: string): boolean {
  const [first, second] = [a, b].map(path => statOf('run folder', path))
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev
}

/** @throws DataError when the position is none of this data set's, which is another one then if the position makes sense */
export function checkPosition({ position, steps, partial }: TrainingState, data: Loader, path: string): void {
  const { batchesPerEpoch } = data
  const expected = position.epoch * batchesPerEpoch + position.batch
  if (position.batch <= batchesPerEpoch && steps === expected && partial.steps === position.batch) return
  const { epoch, batch } = position
  const before = epoch === 0 ? batch : (steps - batch) / epoch
  if (partial.steps === batch && Number.isInteger(before) && batch <= before && steps === epoch * before + batch) {
    throw new DataError(
      `resume: expected the images of the run of ${path}, ${epoch === 0 ? 'at least ' : ''}${before} batches, but received ` +
        `${batchesPerEpoch} batches: ${data.name} has ${data.examples} images now`,
    )
  }
  throw new DataError(
    `checkpoint: expected ${expected} steps at batch ${position.batch} of ${batchesPerEpoch} in epoch ${position.epoch} ` +
      `in the training state beside ${path} but received ${steps}, ${partial.steps} of them in this epoch`,
  )
}
