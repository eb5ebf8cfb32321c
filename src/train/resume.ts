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
      `resume: expected the ${key} ${JSON.stringify(stored[key])} of the run in ${folder} but received ${JSON.stringify(config[key])}`,
    )
  }
  const checkpoint = isBeforeFirstCheckpoint(folder) ? undefined : await loadCheckpoint(folder)
  return { folder, config: stored, path: join(folder, LAST), checkpoint }
}

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
