/**
 * One step of training, enqueued: the same for the trainer and for benchmarks. Checked in test/unit/trainer.test.ts, and
 * recorded steps in test/train/recorded-step.test.ts.
 */
import type { PlainBatch } from '../data/index.ts'
import { type Recording, record } from '../device.ts'
import type { Network } from '../models/index.ts'
import { crossEntropy } from '../nn/index.ts'
import type { Sgd } from '../optim/index.ts'
import { scope } from '../scope.ts'
import { type DeviceName, untracked } from '../tensor.ts'
import { readResults, toDevice } from './evaluate.ts'

export interface StepOptions {
  device: DeviceName
  labelSmoothing: number
  /** Whether steps that repeat are recorded (device.record). Default: on CUDA, where a launch costs time. */
  record?: boolean | undefined
}

type Inputs = ReturnType<typeof toDevice>

/** A step that was recorded, on the tensors that it reads and writes. */
interface Recorded {
  key: string
  recording: Recording
  inputs: Inputs
  outputs: ReturnType<Steps['forwardAndBack']>
}

/** The training steps of a network, one after the other. */
export class Steps implements Disposable {
  readonly #net: Network
  readonly #sgd: Sgd
  readonly #options: StepOptions
  readonly #records: boolean
  #last = ''
  #recorded: Recorded | undefined
  #refused: string | undefined

  constructor(net: Network, sgd: Sgd, options: StepOptions) {
    const { device, record: records = device.startsWith('cuda') } = options
    this.#net = net
    this.#sgd = sgd
    this.#options = options
    this.#records = records
  }

  /** Why steps cannot be recorded, once that was tried: dropout, for example. */
  get refused(): string | undefined {
    return this.#refused
  }

  /** Whether the last step was one that had been recorded. */
  get recorded(): boolean {
    return this.#recorded !== undefined && this.#recorded.key === this.#last
  }

  /**
   * Enqueues forward pass, loss, backward pass and optimiser step for a batch, and the reading of loss and logits. Nothing
   * waits; the batch may be used again at once. A step is recorded when the one before had the same sizes and learning
   * rate: it is what the next ones repeat.
   */
  enqueue(batch: PlainBatch): ReturnType<typeof readResults> {
    const key = `${batch.count} ${this.#sgd.lr}`
    const repeats = key === this.#last
    this.#last = key
    if (this.#recorded?.key === key) return this.#replay(this.#recorded, batch)
    if (this.#records && repeats && this.#refused === undefined) return this.#record(key, batch)
    using _step = scope()
    const { loss, logits } = this.forwardAndBack(toDevice(batch, this.#options.device))
    return readResults(loss, logits)
  }

  /** Forgets what was recorded. */
  dispose(): void {
    const { recording, inputs, outputs } = this.#recorded ?? {}
    this.#recorded = undefined
    recording?.dispose()
    for (const tensor of [inputs?.images, inputs?.labels, outputs?.loss, outputs?.logits]) tensor?.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal Inside the active scope. */
  forwardAndBack({ images, labels }: Inputs) {
    const logits = this.#net.forward(images)
    const loss = crossEntropy(logits, labels, { labelSmoothing: this.#options.labelSmoothing })
    loss.backward()
    this.#sgd.step()
    return { loss, logits }
  }

  #replay({ recording, inputs, outputs }: Recorded, { images, labels }: PlainBatch): ReturnType<typeof readResults> {
    inputs.images.assign(images as Float32Array)
    inputs.labels.assign(labels)
    recording.replay()
    return readResults(outputs.loss, outputs.logits)
  }

  #record(key: string, batch: PlainBatch): ReturnType<typeof readResults> {
    this.dispose()
    const { device } = this.#options
    using _step = scope()
    const inputs = toDevice(batch, device)
    const { result: outputs, recording, refused } = record(() => this.forwardAndBack(inputs), device)
    this.#refused = refused
    if (recording !== undefined) {
      for (const tensor of [inputs.images, inputs.labels, outputs.loss, outputs.logits]) untracked(() => tensor)
      this.#recorded = { key, recording, inputs, outputs }
    }
    return readResults(outputs.loss, outputs.logits)
  }
}
