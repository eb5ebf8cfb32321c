/**
 * One step of training, enqueued: the same for the trainer and for benchmarks. Checked in test/unit/trainer.test.ts, and
 * recorded steps in test/train/recorded-step.test.ts.
 */
import type { PlainBatch } from '../data/index.ts'
import type { Network } from '../models/index.ts'
import { crossEntropy } from '../nn/index.ts'
import { type LossScaler, lossScaler, type Sgd } from '../optim/index.ts'
import type { DeviceName, ParameterDType, Tensor } from '../tensor.ts'
import type { Precision } from './config.ts'
import { readResults, toDevice } from './evaluate.ts'
import { Repeated } from './repeated.ts'

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
type Results = ReturnType<typeof readResults>

/** The training steps of a network, one after the other. */
export class Steps implements Disposable {
  readonly #sgd: Sgd
  readonly #repeated: Repeated<PlainBatch, Inputs, Outputs, Results>
  /** With f16, whose step must be known before the next one is enqueued. */
  readonly scaler: LossScaler | undefined

  constructor(net: Network, sgd: Sgd, options: StepOptions) {
    const { device, precision, labelSmoothing, record } = options
    this.#sgd = sgd
    const scaler = precision === 'f16' ? lossScaler({ device }) : undefined
    this.scaler = scaler
    this.#repeated = new Repeated({
      device,
      record,
      put: batch => toDevice(batch, device, precision),
      run: inputs => forwardAndBack(inputs, net, sgd, { labelSmoothing, scaler }),
      read: outputs => read(outputs, scaler),
    })
  }

  /** Why steps cannot be recorded, once that was tried: dropout, for example. */
  get refused(): string | undefined {
    return this.#repeated.refused
  }

  /** Whether the last step was one that had been recorded. */
  get recorded(): boolean {
    return this.#repeated.recorded
  }

  /**
   * Enqueues forward pass, loss, backward pass and optimiser step for a batch, and the reading of loss and logits. Nothing
   * waits; the batch may be used again at once. A step is recorded when the one before had the same sizes and learning
   * rate: it is what the next ones repeat. With a loss scaler the results are to be waited for before the next step, whose
   * scale they fix.
   */
  enqueue(batch: PlainBatch): Results {
    return this.#repeated.enqueue(`${batch.count} ${this.#sgd.lr}`, batch)
  }

  /** Before other work: leaves it the memory of what was recorded. On CUDA that is kept. */
  yieldMemory(): void {
    this.#repeated.yieldMemory()
  }

  /** Forgets what was recorded, and frees the loss scaler. */
  dispose(): void {
    this.#repeated.dispose()
    this.scaler?.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

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

function read({ loss, logits }: Outputs, scaler: LossScaler | undefined): Results {
  const results = readResults(loss, logits)
  if (scaler === undefined) return results
  const both = Promise.all([results, scaler.update()]).then(([values]) => values)
  both.catch(() => {}) // after an earlier failure nobody waits for this one
  return both
}
