/**
 * Measures a network: steps of training as the trainer makes them, inference in batches, the latency of one image, peak
 * memory. Synthetic images. Checked in test/cli/bench.test.ts; what uses it: `igcnet bench` and benchmarks/.
 */
import { readFileSync } from 'node:fs'
import { noGrad } from '../autograd.ts'
import { CHANNELS, SIZE } from '../data/prepare.ts'
import { setThreads, trim } from '../device.ts'
import { IgcError, InternalError } from '../errors.ts'
import type { Network } from '../models/index.ts'
import { Generator } from '../ops/index.ts'
import { sgd } from '../optim/index.ts'
import { scope } from '../scope.ts'
import { tensor } from '../tensor.ts'
import type { Precision, TrainConfig } from './config.ts'
import { inference } from './inference.ts'
import { buildNetwork } from './network.ts'
import { Steps } from './step.ts'
import { summarize } from './summary.ts'
import { type Timing, type TimingOptions, timeRepetitions } from './timing.ts'

/** What a benchmark found. Times are milliseconds a step or batch. */
export interface BenchmarkResult {
  trainImagesPerSecond: number
  inferImagesPerSecond: number
  batch1LatencyMs: number
  /** Of the process, at the end of the training part. */
  peakRssBytes: number
  train: Timing
  infer: Timing
  batch1: Timing
  parameters: number
  /** Of one image's forward pass. */
  multiplyAdds: number
  /** Largest difference between the logits of this device and of `reference`, relative to the largest logit. */
  referenceError: number
}

export interface BenchmarkOptions extends TimingOptions {
  /** Told what is measured next. */
  onPart?: ((part: string) => void) | undefined
}

const IMAGE = [SIZE, SIZE, CHANNELS] as const
/** Logits may differ from those of `reference` by this share of the largest. */
const TOLERANCE = 1e-3
/** Images of the comparison with `reference`, which is slow. */
const CHECKED_IMAGES = 2
/** Small, so that a loss on the same images over and over stays finite for every network. */
const LEARNING_RATE = 1e-6

/**
 * Checks a network against `reference`, then measures it. Of the configuration, what concerns network, batch, device,
 * threads and optimiser counts.
 * @throws RangeError for a depth that does not fit; InternalError when the device does not compute what `reference` does;
 * IgcError with the code ERR_IGC_DIVERGED for a loss that is no number
 */
export async function benchmark(config: TrainConfig, options: BenchmarkOptions = {}): Promise<BenchmarkResult> {
  const { onPart } = options
  setThreads(config.threads, config.device)
  const net = buildNetwork(config)
  try {
    onPart?.('comparing with reference')
    const referenceError = compareWithReference(net, config)
    const { parameters, macs: multiplyAdds } = summarize(net)
    for (const device of [config.device, 'reference'] as const) trim(device)
    onPart?.('training')
    const train = await timeTraining(net, config, options)
    const peakRssBytes = peakMemory()
    onPart?.('inference')
    const infer = await timeInference(net, config, config.batchSize, options)
    onPart?.('inference, one image')
    const batch1 = await timeInference(net, config, 1, options)
    return {
      trainImagesPerSecond: (1000 * config.batchSize) / train.median,
      inferImagesPerSecond: (1000 * config.batchSize) / infer.median,
      batch1LatencyMs: batch1.median,
      peakRssBytes,
      train,
      infer,
      batch1,
      parameters,
      multiplyAdds,
      referenceError,
    }
  } finally {
    net.dispose()
  }
}

/** Images with normally distributed values and labels, the same in every run. */
export function syntheticBatch(count: number, classes: number) {
  using _inner = scope()
  const images = new Float32Array(new Generator(1).normal([count, ...IMAGE]).dataSync())
  return { images, labels: Int32Array.from({ length: count }, (_, i) => (7 * i) % classes), count }
}

/**
 * Steps of the trainer on one batch over and over: while the device works on a step, the next one is enqueued.
 * @param batch default: synthetic images
 * @returns a function that makes `count` steps, waits for the last and gives its loss
 */
export function trainingSteps(
  net: Network,
  config: TrainConfig,
  batch = syntheticBatch(config.batchSize, config.numClasses),
): { steps: (count: number) => Promise<number> } & Disposable {
  const { momentum, weightDecay } = config
  const optimiser = sgd(net.parameters(), { lr: LEARNING_RATE, momentum, weightDecay, nesterov: true })
  const training = new Steps(net, optimiser, config)
  const settle = async (step: ReturnType<Steps['enqueue']>) => {
    const { loss } = await step
    if (Number.isFinite(loss)) return loss
    throw new IgcError('ERR_IGC_DIVERGED', `bench: expected a finite loss but received ${loss}`)
  }
  const enqueue = () => {
    if (!net.training) net.train() // not in advance: inference may come in between
    return training.enqueue(batch)
  }
  const steps = async (count: number) => {
    let pending = enqueue()
    for (let i = 1; i < count; i++) {
      const before = pending
      if (training.scaler) await before
      pending = enqueue()
      await settle(before)
    }
    return settle(pending)
  }
  const dispose = () => {
    training.dispose()
    optimiser.dispose()
  }
  return { steps, [Symbol.dispose]: dispose }
}

async function timeTraining(net: Network, config: TrainConfig, options: TimingOptions): Promise<Timing> {
  using training = trainingSteps(net, config)
  return await timeRepetitions(training.steps, options)
}

/**
 * Passes of `inference()` over a batch of images, each with its logits read.
 * @returns a function that makes `count` of them and gives the last logits; one image at a time is waited for, of larger
 * batches the next one is enqueued while the device works
 */
export function inferencePasses(
  net: Network,
  { images, count: batchSize }: Pick<ReturnType<typeof syntheticBatch>, 'images' | 'count'>,
  precision: Precision = 'f32',
): { passes: (count: number) => Promise<ArrayLike<number>> } & Disposable {
  const repeated = inference(net, { precision })
  const enqueue = () => repeated.logits(images, [batchSize, ...IMAGE])
  const passes = async (count: number) => {
    let pending = enqueue()
    for (let i = 1; i < count; i++) {
      const before = pending
      if (batchSize === 1) await before
      pending = enqueue()
      await before
    }
    return pending
  }
  return { passes, [Symbol.dispose]: () => repeated.dispose() }
}

async function timeInference(net: Network, config: TrainConfig, batchSize: number, options: TimingOptions) {
  using inferring = inferencePasses(net, syntheticBatch(batchSize, config.numClasses), config.precision)
  return await timeRepetitions(inferring.passes, options)
}

/** The larger error of the two modes. @throws InternalError over the tolerance */
export function compareWithReference(net: Network, config: TrainConfig): number {
  using _inner = scope()
  const { images } = syntheticBatch(CHECKED_IMAGES, config.numClasses)
  const twin = buildNetwork({ ...config, device: 'reference' })
  try {
    twin.loadState(net.state())
    const errors = [true, false].map(training => {
      const [logits, expected] = [net, twin].map((network, i) => {
        network.train(training)
        const x = tensor(images, [CHECKED_IMAGES, ...IMAGE], { device: i === 0 ? config.device : 'reference' })
        return (training ? network.forward(x) : noGrad(() => network.forward(x))).dataSync()
      }) as [Float32Array, Float32Array]
      return relativeError(logits, expected)
    })
    const worst = Math.max(...errors)
    if (worst <= TOLERANCE) return worst
    throw new InternalError(
      `bench: expected the logits of the device reference within ${TOLERANCE} but received a relative error of ${worst}`,
    )
  } finally {
    twin.dispose()
  }
}

/** The largest difference by the largest expected value; NaN where a value is one. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let largest = 0
  let difference = 0
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i] as number, expected[i] as number]
    if (Number.isNaN(a - b)) return Number.NaN
    largest = Math.max(largest, Math.abs(b))
    difference = Math.max(difference, Math.abs(a - b))
  }
  return difference === 0 ? 0 : difference / largest
}

/** Bytes of memory that this process had at most. Linux counts ru_maxrss from the parent process on, so it is asked otherwise. */
export function peakMemory(): number {
  try {
    const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    if (kilobytes !== undefined) return 1024 * Number(kilobytes)
  } catch {} // no Linux
  return 1024 * process.resourceUsage().maxRSS
}
