/** Accuracy from logits, and the row that a run keeps of every epoch. Checked in test/unit/metrics.test.ts. */

/** A row of metrics.jsonl and metrics.csv. Losses are means, accuracies percent. */
export interface EpochRow {
  /** Counted from 0. */
  epoch: number
  /** Mean over the steps of the epoch, while the weights changed. */
  trainLoss: number
  /** Of the same batches, as they were augmented. */
  trainTop1: number
  /** Over the whole test set, in inference mode, without label smoothing. */
  testLoss: number
  testTop1: number
  testTop5: number
  /** Learning rate. */
  lr: number
  /** Wall time of training and evaluation. */
  seconds: number
  /** Of training alone. */
  imagesPerSecond: number
}

/** The names of a row's values, in the order of the columns. */
export const COLUMNS: readonly (keyof EpochRow)[] = [
  'epoch',
  'trainLoss',
  'trainTop1',
  'testLoss',
  'testTop1',
  'testTop5',
  'lr',
  'seconds',
  'imagesPerSecond',
]

/**
 * How many examples have their label among the `k` largest logits. Equal logits rank in the order of the classes, NaN
 * ranks above every number, and a label whose logit is NaN is never among the first (unless all are).
 * @param logits [N, C], row by row
 * @param labels [N], from 0 to C - 1
 */
export function countTopK(
  logits: Float32Array | Float64Array,
  labels: Int32Array,
  { classes, k }: { classes: number; k: number },
): number {
  let correct = 0
  labels.forEach((label, n) => {
    const row = logits.subarray(n * classes, (n + 1) * classes)
    const own = row[label] as number
    let before = 0
    for (let c = 0; c < classes; c++) {
      const other = row[c] as number
      if (c !== label && !(c < label ? other < own : other <= own)) before++
    }
    if (before < k) correct++
  })
  return correct
}

/** `part` of `whole` in percent; NaN when there is no whole. */
export function percent(part: number, whole: number): number {
  return (100 * part) / whole
}
