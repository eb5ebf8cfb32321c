/** What a run tells while it goes on, for progress bars and logs. */
import type { EpochRow } from './metrics.ts'

/** Epochs are counted from 0, accuracies are percent. */
export type Progress =
  | { kind: 'download'; received: number; total: number | undefined }
  | {
      kind: 'step'
      epoch: number
      /** Of the run. */
      epochs: number
      /** Steps done in this epoch, of `steps`. */
      step: number
      steps: number
      /** Means over the epoch so far. */
      loss: number
      top1: number
      /** Learning rate. */
      lr: number
      imagesPerSecond: number
      /** Until the end of the run. */
      secondsLeft: number
    }
  | ({ kind: 'epoch'; epochs: number; best: boolean } & EpochRow)
  | { kind: 'checkpoint'; path: string }

/** Told of progress. The run waits for the promise it returns, if any; what it throws or rejects with ends the run. */
export type OnProgress = (progress: Progress) => unknown
