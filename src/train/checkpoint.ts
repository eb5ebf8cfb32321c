/**
 * Checkpoints: a model in one safetensors file, which other tools read too, and the state of its training in a second
 * one beside it. Checked in test/unit/checkpoint.test.ts (a crash after every single operation on the disk, a full
 * disk) and with killed processes in test/train/resume.test.ts.
 *
 * The metadata has a hash of its own, `metadataSha256`, since it decides on the training as the values do. Older files have
 * none, and whoever edits metadata on purpose leaves it out.
 *
 * The two files belong together at every moment, also after a crash: the state names its model by the SHA-256 of the
 * weights, and the new pair takes the place of the old one in this order:
 *   1. write both under temporary names (disk.ts), flushed to the device
 *   2. rename the state: from here on the new pair counts
 *   3. rename the model
 * Between 2 and 3 the model of the new state is still under its temporary name, where `loadCheckpoint` finds it; the next
 * run in the folder finishes the renaming (`settle`).
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DataError } from '../errors.ts'
import { statOf } from '../file.ts'
import { checkConfig, type TrainConfig } from './config.ts'
import { type Disk, disk, leftovers, temporary, writeWhole } from './disk.ts'
import { encodeSafetensors, hashTensors, readSafetensors, type StoredTensor } from './safetensors.ts'
import { parseState, type TrainingState } from './training-state.ts'

export const LAST = 'last.safetensors'
export const LAST_STATE = 'last.state.safetensors'
export const BEST = 'best.safetensors'

const VERSION = '1'
const VELOCITY = 'velocity.'
/** To find the model of one state, beside a run that renames or replaces it meanwhile: two are enough. */
const ATTEMPTS = 3

type Tensors = ReadonlyMap<string, StoredTensor>

/** A model file: parameters and running statistics by name, and what its network was made from. */
export interface StoredModel {
  readonly config: TrainConfig
  readonly tensors: Tensors
  readonly weightsSha256: string
}

/** A model with what its training needs to go on. */
export interface Checkpoint {
  readonly model: StoredModel
  readonly velocities: Tensors
  readonly state: TrainingState
}

/** A model ready to be written; its identity is computed here. */
export function storeModel(config: TrainConfig, tensors: Tensors): StoredModel {
  return { config, tensors, weightsSha256: hashTensors(tensors) }
}

type Metadata = Readonly<Record<string, string>>

/** Metadata with its own SHA-256: of all other entries as JSON, in the order of their names. */
function sealed(metadata: Metadata): Metadata {
  return { ...metadata, metadataSha256: hashMetadata(metadata) }
}

function hashMetadata(metadata: Metadata): string {
  const entries = Object.entries(metadata).filter(([name]) => name !== 'metadataSha256')
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}

/** @throws DataError for metadata that has a hash and another content */
function checkMetadata(path: string, metadata: Metadata): void {
  const { metadataSha256: stored } = metadata
  const actual = hashMetadata(metadata)
  if (stored === undefined || stored === actual) return
  throw new DataError(
    `checkpoint: expected metadata with the SHA-256 ${stored} in ${path} but received ${actual}: damaged, or edited ` +
      'without leaving out metadataSha256',
  )
}

function encodeModel({ config, tensors, weightsSha256 }: StoredModel): Uint8Array[] {
  const metadata = { producer: 'igcnet', version: VERSION, config: JSON.stringify(config), weightsSha256 }
  return encodeSafetensors({ tensors, metadata: sealed(metadata) })
}

function encodeState({ model, velocities, state }: Checkpoint): Uint8Array[] {
  const tensors = new Map([...velocities].map(([name, velocity]) => [VELOCITY + name, velocity]))
  const metadata = {
    producer: 'igcnet',
    version: VERSION,
    model: model.weightsSha256,
    velocitiesSha256: hashTensors(velocities),
    state: JSON.stringify(state),
  }
  return encodeSafetensors({ tensors, metadata: sealed(metadata) })
}

/**
 * Replaces the checkpoint of a run folder. Whatever happens, a whole one stays.
 * @throws DataError when it cannot be written; temporary files are removed
 */
export async function saveCheckpoint(folder: string, checkpoint: Checkpoint, on: Disk = disk): Promise<void> {
  const [model, state] = [join(folder, LAST), join(folder, LAST_STATE)]
  const unfinished = { model: temporary(model), state: temporary(state) }
  let counts = false
  try {
    await on.write(unfinished.model, encodeModel(checkpoint.model))
    await on.write(unfinished.state, encodeState(checkpoint))
    await on.rename(unfinished.state, state)
    counts = true
    await on.syncFolder(folder)
    await on.rename(unfinished.model, model)
    await on.syncFolder(folder)
  } catch (cause) {
    // The first error is the one to tell.
    if (!counts) for (const file of Object.values(unfinished)) await on.remove(file).catch(() => {})
    const outcome = counts ? 'the new checkpoint counts' : 'the checkpoint before it, if any, is whole'
    throw new DataError(`checkpoint: cannot write ${model}: ${(cause as Error).message}; ${outcome}`, { cause })
  }
}

/** Replaces best.safetensors of a run folder, or leaves it. @throws DataError */
export function saveBest(folder: string, model: StoredModel, on: Disk = disk): Promise<void> {
  return writeModel(join(folder, BEST), model, on)
}

/** Replaces a model file, or leaves it. @throws DataError */
export async function writeModel(path: string, model: StoredModel, on: Disk = disk): Promise<void> {
  try {
    await writeWhole(path, encodeModel(model), on)
  } catch (cause) {
    const outcome = 'the model before it, if any, is whole'
    throw new DataError(`checkpoint: cannot write ${path}: ${(cause as Error).message}; ${outcome}`, { cause })
  }
}

/** Finishes a renaming that a crash interrupted, and removes what interrupted writes left. */
export async function settle(folder: string, on: Disk = disk): Promise<void> {
  const model = join(folder, LAST)
  if (existsSync(join(folder, LAST_STATE)) && (await leftovers(model)).length > 0) {
    const found = await findModel(folder, (await readState(folder)).model)
    if (found && found.file !== model) {
      await on.rename(found.file, model)
      await on.syncFolder(folder)
    }
  }
  for (const name of [LAST, LAST_STATE, BEST]) {
    for (const file of await leftovers(join(folder, name))) await on.remove(file)
  }
}

/** The model with the identity `wanted`: last.safetensors, unless its renaming was interrupted. */
async function findModel(folder: string, wanted: string): Promise<{ file: string; model: StoredModel } | undefined> {
  const last = join(folder, LAST)
  for (const file of [last, ...(await leftovers(last))]) {
    const model = await readModel(file).catch(() => undefined)
    if (model?.weightsSha256 === wanted) return { file, model }
  }
  return undefined
}

/** The model file that a path means: itself, or in a run folder its best.safetensors, else last.safetensors. @throws DataError */
export function modelFile(path: string): string {
  if (!statOf('checkpoint', path)?.isDirectory()) return path
  const found = [BEST, LAST].map(name => join(path, name)).find(file => statOf('checkpoint', file))
  if (found) return found
  throw new DataError(`checkpoint: expected ${BEST} or ${LAST} in ${path} but found neither`)
}

/**
 * Reads a model file: last.safetensors or best.safetensors of a run.
 * @throws DataError for a file that is missing, damaged or not of igcnet
 */
export async function readModel(path: string): Promise<StoredModel> {
  const { tensors, metadata } = await readSafetensors(path)
  const text = metadata.config
  if (metadata.producer !== 'igcnet' || metadata.version !== VERSION || text === undefined) {
    throw new DataError(
      `checkpoint: expected a model file of igcnet (metadata with producer igcnet, version ${VERSION} and config) but received ${path} without`,
    )
  }
  checkMetadata(path, metadata)
  checkHash(path, metadata.weightsSha256, tensors)
  return { config: parseConfig(text, path), tensors, weightsSha256: metadata.weightsSha256 as string }
}

function checkHash(path: string, stored: string | undefined, tensors: Tensors): void {
  const actual = hashTensors(tensors)
  if (stored === actual) return
  throw new DataError(
    `checkpoint: expected values with the SHA-256 ${stored} in ${path} but received ${actual}: damaged`,
  )
}

/** A configuration from JSON text; `path` is for messages. @throws DataError */
export function parseConfig(text: string, path: string): TrainConfig {
  try {
    return checkConfig(JSON.parse(text))
  } catch (cause) {
    const reason = (cause as Error).message.replace(/\s*\n\s*/g, ' ') // V8 shows lines of the text
    throw new DataError(`checkpoint: expected a valid configuration in ${path}: ${reason}`, { cause })
  }
}

async function readState(folder: string): Promise<{ model: string; velocities: Tensors; state: TrainingState }> {
  const path = join(folder, LAST_STATE)
  const { tensors, metadata } = await readSafetensors(path)
  const { producer, version, model, velocitiesSha256, state } = metadata
  if (producer !== 'igcnet' || version !== VERSION || model === undefined || state === undefined) {
    throw new DataError(
      `checkpoint: expected a training state of igcnet (metadata with producer igcnet, version ${VERSION}, model and state) but received ${path} without`,
    )
  }
  checkMetadata(path, metadata)
  const velocities = new Map<string, StoredTensor>()
  for (const [name, tensor] of tensors) {
    if (!name.startsWith(VELOCITY)) {
      throw new DataError(`checkpoint: expected names that start with ${VELOCITY} in ${path} but received '${name}'`)
    }
    velocities.set(name.slice(VELOCITY.length), tensor)
  }
  checkHash(path, velocitiesSha256, velocities)
  return { model, velocities, state: parseState(state, path) }
}

/** Whether a folder holds a checkpoint, or a part of one. */
export function hasCheckpoint(folder: string): boolean {
  return [LAST, LAST_STATE, BEST].some(name => existsSync(join(folder, name)))
}

/**
 * Reads the checkpoint of a run folder, without changing anything.
 * @throws DataError when it is missing or damaged, or the model is of another moment than the state
 */
export async function loadCheckpoint(folder: string): Promise<Checkpoint> {
  const path = join(folder, LAST)
  let [before, attempts] = ['', 0]
  while (true) {
    const { model: wanted, velocities, state } = await readState(folder)
    const model = (await findModel(folder, wanted))?.model ?? (await readModel(path))
    if (model.weightsSha256 === wanted) return { model, velocities, state }
    attempts = wanted === before ? attempts + 1 : 1 // of a state that was replaced they begin anew
    before = wanted
    if (attempts < ATTEMPTS) continue
    throw new DataError(
      `checkpoint: expected the model of ${join(folder, LAST_STATE)} (weights ${wanted}) in ${path} but received weights ${model.weightsSha256}`,
    )
  }
}

/**
 * The best model of a checkpoint: best.safetensors beside it, or where that is lost or of another epoch (it is written more
 * often than checkpoints) the last one, if it was the best. Otherwise undefined.
 */
export async function findBest(folder: string, { model, state }: Checkpoint): Promise<StoredModel | undefined> {
  if (state.best === null) return undefined
  const stored = await readModel(join(folder, BEST)).catch(() => undefined)
  const { weightsSha256: wanted = stored?.weightsSha256 } = state.best
  return [stored, model].find(candidate => candidate?.weightsSha256 === wanted)
}

/**
 * The run folder that a `resume` path means: itself, or the folder of its last.safetensors.
 * @throws DataError for another file or a path that does not exist
 */
export function folderOf(path: string): string {
  const stats = statOf('resume', path)
  if (stats?.isDirectory()) return path
  if (basename(path) === LAST || basename(path) === LAST_STATE) return dirname(path)
  const what = stats ? path : `${path}, where nothing is`
  throw new DataError(`resume: expected a run folder or its ${LAST} but received ${what}`)
}
