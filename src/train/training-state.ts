/**
 * Where a training stands, besides weights and velocities: plain JSON in the metadata of last.state.safetensors. All
 * random numbers are functions of the seed and the position (src/data/random.ts), so there is no other random state; the
 * learning rate is a function of the epoch. Checked in test/unit/checkpoint.test.ts.
 */
import { DataError } from '../errors.ts'
import type { LossScalerState } from '../optim/index.ts'
import { COLUMNS, type EpochRow } from './metrics.ts'

/** Sums over the steps of an epoch that is not finished. */
export interface PartialEpoch {
  /** Sum of the losses of the steps. */
  loss: number
  /** Right answers. */
  correct: number
  examples: number
  steps: number
  /** Wall time, and of it training. */
  seconds: number
  trainSeconds: number
}

export interface BestEpoch {
  epoch: number
  /** Percent. */
  testTop1: number
  /** Of its model. Older states have none. */
  weightsSha256?: string
}

export interface TrainingState {
  /** The next batch: `batch` of `epoch`, both from 0. An epoch whose batches are all done waits for its evaluation. */
  position: { epoch: number; batch: number }
  /** Optimiser steps since the start of the run. */
  steps: number
  partial: PartialEpoch
  /** One of every finished epoch. */
  rows: EpochRow[]
  /** The epoch of best.safetensors, or null: none yet, or its model was lost. */
  best: BestEpoch | null
  /** With precision f16: where its loss scaling stands. */
  lossScale?: LossScalerState
}

/** No step done. */
export function freshPartial(): PartialEpoch {
  return { loss: 0, correct: 0, examples: 0, steps: 0, seconds: 0, trainSeconds: 0 }
}

/** The state before the first step. */
export function freshState(): TrainingState {
  return { position: { epoch: 0, batch: 0 }, steps: 0, partial: freshPartial(), rows: [], best: null }
}

type Fields = Record<string, unknown>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isNumber = (value: unknown) => typeof value === 'number'

/** JSON has no NaN and no infinity: `JSON.stringify` writes null, which means NaN here. */
const isMetric = (value: unknown) => value === null || isNumber(value)

function isPosition(value: unknown): boolean {
  return isFields(value) && isCount(value.epoch) && isCount(value.batch)
}

function isPartial(value: unknown): boolean {
  if (!isFields(value) || !Object.keys(freshPartial()).every(key => isNumber(value[key]))) return false
  const { correct, examples, steps } = value as unknown as PartialEpoch
  // A step has an example at least.
  return (
    [correct, examples, steps].every(isCount) && correct <= examples && steps <= examples && steps > 0 === examples > 0
  )
}

function isRow(value: unknown, i: number): boolean {
  return isFields(value) && value.epoch === i && COLUMNS.every(key => isMetric(value[key]))
}

function isBest(value: unknown): boolean {
  if (value === null) return true
  if (!isFields(value) || !isCount(value.epoch) || !isNumber(value.testTop1)) return false
  return value.weightsSha256 === undefined || typeof value.weightsSha256 === 'string'
}

function isLossScale(value: unknown): boolean {
  return (
    value === undefined ||
    (isFields(value) && isNumber(value.scale) && (value.scale as number) > 0 && isCount(value.good))
  )
}

/** Reads and checks the text of a state; `path` is for messages. @throws DataError */
export function parseState(text: string, path: string): TrainingState {
  const fail = (expected: string) => new DataError(`checkpoint: expected ${expected} in the training state of ${path}`)
  let state: unknown
  try {
    state = JSON.parse(text)
  } catch {
    throw fail('JSON')
  }
  if (!isFields(state)) throw fail('an object')
  if (!isPosition(state.position)) throw fail('a position with epoch and batch')
  if (!isCount(state.steps)) throw fail('a number of steps')
  if (!isPartial(state.partial)) throw fail('sums of the epoch under way')
  if (!Array.isArray(state.rows) || !state.rows.every(isRow)) throw fail('a row of metrics for every epoch')
  if (!isLossScale(state.lossScale)) throw fail('the scale of the loss')
  if (!isBest(state.best)) throw fail('the best epoch or null')
  const parsed = state as unknown as TrainingState
  if (parsed.rows.length !== parsed.position.epoch) {
    throw fail(`a row of metrics for each of the ${parsed.position.epoch} finished epochs`)
  }
  const rows = parsed.rows.map(row => Object.fromEntries(COLUMNS.map(key => [key, row[key] ?? Number.NaN])))
  return { ...parsed, rows: rows as unknown as EpochRow[] }
}
