/**
 * One step of training, enqueued: the same for the trainer and for benchmarks. Checked in test/unit/trainer.test.ts, and
 * recorded steps in test/train/recorded-step.test.ts.
 */
import type { PlainBatch } from '../data/index.ts'
import { type Recording, record } from '../device.ts'
import type { Network } from '../models/index.ts'
import { crossEntropy } from '../nn/index.ts'
import { type LossScaler, lossScaler, type Sgd } from '../optim/index.ts'
import { scope } from '../scope.ts'
import { type DeviceName, type ParameterDType, type Tensor, untracked } from '../tensor.ts'
import type { Precision } from './config.ts'
import { readResults, toDevice } from './evaluate.ts'

export interface StepOptions {
  device: DeviceName
  labelSmoothing: number
  /** In which maps are stored. Default: f32. */
  precision?: Precision | undefined
  /** Whether steps that repeat are recorded (device.record), which spares JavaScript's share of them. Default: true. */
  record?: boolean | undefined
}

type Inputs = ReturnType<typeof toDevice>
type Outputs = ReturnType<typeof forwardAndBack>

/** All that a step enqueues besides copies, inside the active scope. */
function forwardAndBack(
  { images, labels }: Inputs,
  net: Network,
  sgd: Sgd,
  { labelSmoothing, scaler }: { labelSmoothing: number; scaler: LossScaler | undefined },
) {
  const logits = net.forward(images)
  const loss = crossEntropy(logits, labels, { labelSmoothing })
  if (scaler) {
    scaler.backward(loss as Tensor<readonly [], ParameterDType>)
    scaler.step(sgd)
  } else {
    loss.backward()
    sgd.step()
  }
  return { loss, logits }
}

/** A step that was recorded, on the tensors that it reads and writes. */
interface Recorded {
  key: string
  recording: Recording
  inputs: Inputs
  outputs: Outputs
}

/** The training steps of a network, one after the other. */
export class Steps implements Disposable {
  readonly #net: Network
  readonly #sgd: Sgd
  readonly #options: StepOptions
  readonly #records: boolean
  /** With f16, whose step must be known before the next one is enqueued. */
  readonly scaler: LossScaler | undefined
  #last = ''
  #recorded: Recorded | undefined
  #refused: string | undefined

  constructor(net: Network, sgd: Sgd, options: StepOptions) {
    const { device, record: records = true } = options
    this.#net = net
    this.#sgd = sgd
    this.#options = options
    this.#records = records
    this.scaler = options.precision === 'f16' ? lossScaler({ device }) : undefined
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
   * rate: it is what the next ones repeat. With a loss scaler the results are to be waited for before the next step, whose
   * scale they fix.
   */
  enqueue(batch: PlainBatch): ReturnType<typeof readResults> {
    const key = `${batch.count} ${this.#sgd.lr}`
    const repeats = key === this.#last
    this.#last = key
    if (this.#recorded?.key === key) return this.#replay(this.#recorded, batch)
    this.yieldMemory()
    if (this.#records && repeats && this.#refused === undefined) return this.#record(key, batch)
    using _step = scope()
    return this.#read(this.#forwardAndBack(this.#toDevice(batch)))
  }

  /**
   * Before other work: leaves it the memory of what was recorded. On CUDA that is kept: a step in a graph takes longer to
   * record than to repeat.
   */
  yieldMemory(): void {
    if (!this.#options.device.startsWith('cuda')) this.#forget()
  }

  /** Forgets what was recorded, and frees the loss scaler. */
  dispose(): void {
    this.#forget()
    this.scaler?.dispose()
  }

  #forget(): void {
    const { recording, inputs, outputs } = this.#recorded ?? {}
    this.#recorded = undefined
    recording?.dispose()
    for (const tensor of [inputs?.images, inputs?.labels, outputs?.loss, outputs?.logits]) tensor?.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #forwardAndBack(inputs: Inputs): Outputs {
    const { labelSmoothing } = this.#options
    return forwardAndBack(inputs, this.#net, this.#sgd, { labelSmoothing, scaler: this.scaler })
  }

  #toDevice(batch: PlainBatch): Inputs {
    const { device, precision } = this.#options
    return toDevice(batch, device, precision)
  }

  #read({ loss, logits }: Outputs): ReturnType<typeof readResults> {
    const results = readResults(loss, logits)
    if (this.scaler === undefined) return results
    const both = Promise.all([results, this.scaler.update()]).then(([values]) => values)
    both.catch(() => {}) // after an earlier failure nobody waits for this one
    return both
  }

  #replay({ recording, inputs, outputs }: Recorded, { images, labels }: PlainBatch): ReturnType<typeof readResults> {
    inputs.images.assign(images as Float32Array)
    inputs.labels.assign(labels)
    recording.replay()
    return this.#read(outputs)
  }

  #record(key: string, batch: PlainBatch): ReturnType<typeof readResults> {
    this.#forget()
    const { device } = this.#options
    using _step = scope()
    const inputs = this.#toDevice(batch)
    const { result: outputs, recording, refused } = record(() => this.#forwardAndBack(inputs), device)
    this.#refused = refused
    if (recording !== undefined) {
      for (const tensor of [inputs.images, inputs.labels, outputs.loss, outputs.logits]) untracked(() => tensor)
      this.#recorded = { key, recording, inputs, outputs }
    }
    return this.#read(outputs)
  }
}
