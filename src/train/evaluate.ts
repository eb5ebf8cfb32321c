/** Loss and accuracy over a data set. Checked in test/unit/trainer.test.ts and test/unit/evaluate.test.ts. */
import { noGrad } from '../autograd.ts'
import type { DownloadProgress, Loader, PlainBatch, Split } from '../data/index.ts'
import { CHANNELS, SIZE } from '../data/prepare.ts'
import { setThreads } from '../device.ts'
import { statOf } from '../file.ts'
import type { Network } from '../models/index.ts'
import { crossEntropy } from '../nn/index.ts'
import { type DeviceName, type FloatDType, type Tensor, tensor } from '../tensor.ts'
import { modelFile, readModel, type StoredModel } from './checkpoint.ts'
import { checkConfig, onDevice, type Precision, type TrainConfig, withChangeable } from './config.ts'
import { openDataset } from './dataset.ts'
import { deviceOf, infer } from './inference.ts'
import { countTopK, percent } from './metrics.ts'
import { restoreNetwork } from './network.ts'
import type { OnProgress } from './progress.ts'
import { Repeated } from './repeated.ts'
import { readRunConfig } from './run-folder.ts'

/** How good a network is on a split. */
export interface Evaluation {
  /** Mean cross-entropy, without label smoothing. */
  loss: number
  /** Percent. */
  top1: number
  top5: number
  examples: number
}

/** How a network is evaluated. */
export interface EvaluateOptions {
  /** Where the network is, which is the default. */
  device?: DeviceName | undefined
  /** Threads of the device, set anew for each batch. Default: what is set. */
  threads?: number | undefined
  /** Abort it, and the evaluation is rejected with the signal's reason after the batch under way. */
  signal?: AbortSignal | undefined
}

/** A batch on a device, inside the active scope; the images in a dtype of maps. */
export function toDevice({ images, labels, count }: PlainBatch, device: DeviceName, precision: Precision = 'f32') {
  return {
    images: tensor(images, [count, SIZE, SIZE, CHANNELS] as const, { device, dtype: precision }),
    labels: tensor(labels, [count] as const, { device }),
  }
}

type Logits = Tensor<readonly [number, number], FloatDType>

/** Enqueues the reading of loss and logits as they are now; both tensors may be disposed of at once. */
export function readResults(loss: Tensor, logits: Logits) {
  const classes = logits.shape[1]
  const reads = Promise.all([loss.item(), logits.data()])
  const results = reads.then(([value, values]) => ({ loss: value, logits: values, classes }))
  results.catch(() => {}) // after an earlier failure nobody waits for this one
  return results
}

/**
 * Evaluates a network over one pass of a loader, in inference mode, which it leaves whenever it waits: the network may be
 * trained or evaluated elsewhere meanwhile, and each batch sees the weights of its moment. While the device works on a
 * batch, the next one is prepared and enqueued.
 * @throws DataError for images that cannot be read, or a label that the network has no output for; the signal's reason
 */
export async function evaluate(net: Network, loader: Loader, options: EvaluateOptions = {}): Promise<Evaluation> {
  const { signal, device = deviceOf(net), threads } = options
  const sums = { loss: 0, top1: 0, top5: 0, examples: 0 }
  using passes = new Repeated({
    device,
    put: (batch: PlainBatch) => toDevice(batch, device),
    run: ({ images, labels }) => {
      const logits = infer(net, images)
      return { loss: noGrad(() => crossEntropy(logits, labels)), logits }
    },
    read: ({ loss, logits }) => readResults(loss, logits),
  })
  const enqueue = (batch: PlainBatch) => {
    if (threads !== undefined) setThreads(threads, device)
    return { results: passes.enqueue(`${batch.count}`, batch), labels: batch.labels.slice() }
  }
  const settle = async ({ results, labels }: ReturnType<typeof enqueue>) => {
    const { loss, logits, classes } = await results
    sums.loss += loss * labels.length
    sums.top1 += countTopK(logits, labels, { classes, k: 1 })
    sums.top5 += countTopK(logits, labels, { classes, k: 5 })
    sums.examples += labels.length
  }
  let pending: ReturnType<typeof enqueue> | undefined
  for await (const batch of loader.plainBatches()) {
    signal?.throwIfAborted()
    const before = pending
    pending = enqueue(batch)
    if (before) await settle(before)
  }
  if (pending) await settle(pending)
  const { loss, top1, top5, examples } = sums
  return { loss: loss / examples, top1: percent(top1, examples), top5: percent(top5, examples), examples }
}

/** What may be set anew when a stored model is evaluated. */
export type EvaluationConfig = Partial<
  Pick<
    TrainConfig,
    'dataset' | 'dataDir' | 'trainExamples' | 'testExamples' | 'testBatchSize' | 'device' | 'threads' | 'download'
  >
>

/** On what a stored model is evaluated. */
export interface EvaluateCheckpointOptions {
  /** Default: test. */
  split?: Split | undefined
  /** In place of the values of the stored configuration. */
  config?: EvaluationConfig | undefined
  /** Abort it, and the evaluation is rejected with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Told of downloads; the promise it returns, if any, is waited for. */
  onProgress?: OnProgress | undefined
}

/** What an evaluation used, with its result. */
export interface CheckpointEvaluation extends Evaluation {
  /** The model file. */
  model: string
  config: TrainConfig
  weightsSha256: string
}

/**
 * Evaluates a stored model on a data set.
 * @param path a model file (all else is in its metadata), or a run folder: its best.safetensors, else last.safetensors,
 * with the data directory of its config.json
 * @throws DataError for a missing or damaged file; TypeError or RangeError for options that make no sense
 */
export async function evaluateCheckpoint(
  path: string,
  options: EvaluateCheckpointOptions = {},
): Promise<CheckpointEvaluation> {
  const { split = 'test', signal, onProgress } = options
  signal?.throwIfAborted()
  const file = modelFile(path)
  const model = await readModel(file)
  const given = Object.entries(options.config ?? {}).filter(([, value]) => value !== undefined)
  const merged: TrainConfig = { ...(await storedConfig(path, model)), ...Object.fromEntries(given) }
  const config = checkConfig(onDevice(merged, merged.device))
  const onDownload = (received: DownloadProgress) => onProgress?.({ kind: 'download', ...received })
  await using loader = openDataset(config, split, { evaluating: true, onProgress: onDownload })
  const close = () => void loader.close() // ends a download, too
  signal?.addEventListener('abort', close)
  setThreads(config.threads, config.device)
  const net = restoreNetwork(model, config, file)
  try {
    await loader.ready()
    const result = await evaluate(net, loader, { device: config.device, threads: config.threads, signal })
    return { ...result, model: file, config, weightsSha256: model.weightsSha256 }
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', close)
    net.dispose()
  }
}

/** That of a model; in a run folder with what its run was told last, the place of the data for example, if that can be read. */
async function storedConfig(path: string, { config }: StoredModel): Promise<TrainConfig> {
  if (!statOf('checkpoint', path)?.isDirectory()) return config
  return readRunConfig(path).then(
    changed => withChangeable(config, changed),
    () => config,
  )
}

/** The configuration of a run folder, or of a model file. @throws DataError */
export async function readConfig(path: string): Promise<TrainConfig> {
  if (statOf('checkpoint', path)?.isDirectory()) return readRunConfig(path)
  return (await readModel(path)).config
}
