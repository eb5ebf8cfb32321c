/**
 * Work on one batch after the other, which is recorded (device.record) once it repeats: steps of training, passes of
 * inference. Checked in test/train/recorded-step.test.ts and test/train/recorded-inference.test.ts.
 */
import { type Recording, record } from '../device.ts'
import { scope } from '../scope.ts'
import { type ArrayOf, type DeviceName, type DType, type Tensor, untracked } from '../tensor.ts'

type Tensors = Record<string, Tensor>
/** The values of these inputs, by their names, and whatever else is known of a batch. */
type BatchOf<Inputs> = { readonly [Name in keyof Inputs]: ArrayOf<DType> }

/** What is done with a batch. Nothing here waits. */
export interface Work<Batch extends BatchOf<Inputs>, Inputs extends Tensors, Outputs extends Tensors, Results> {
  device: DeviceName
  /** Copies a batch to the device, inside the active scope. */
  put(batch: Batch): Inputs
  /** All that is enqueued besides copies, inside the active scope. */
  run(inputs: Inputs): Outputs
  /** Enqueues the reading of the outputs as they are now. */
  read(outputs: Outputs): Results
  /** Whether work that repeats is recorded, which spares JavaScript's share of it. Default: true. */
  record?: boolean | undefined
}

/** What was recorded, on the tensors that it reads and writes. */
interface Recorded<Inputs, Outputs> {
  key: string
  recording: Recording
  inputs: Inputs
  outputs: Outputs
}

export class Repeated<Batch extends BatchOf<Inputs>, Inputs extends Tensors, Outputs extends Tensors, Results>
  implements Disposable
{
  readonly #work: Work<Batch, Inputs, Outputs, Results>
  #last: string | undefined
  #recorded: Recorded<Inputs, Outputs> | undefined
  #refused: string | undefined

  constructor(work: Work<Batch, Inputs, Outputs, Results>) {
    this.#work = work
  }

  /** Why the work cannot be recorded, once that was tried: dropout, for example. */
  get refused(): string | undefined {
    return this.#refused
  }

  /** Whether the last work was some that had been recorded. */
  get recorded(): boolean {
    return this.#recorded !== undefined && this.#recorded.key === this.#last
  }

  /**
   * Enqueues the work on a batch, and the reading of its results. Nothing waits; the batch may be used again at once. It
   * is recorded when the one before had the same key: it is what the next ones repeat.
   * @param key what the work depends on besides the values of the batch: its sizes
   */
  enqueue(key: string, batch: Batch): Results {
    const { record: records = true, put, run, read } = this.#work
    const repeats = key === this.#last
    this.#last = key
    if (this.#recorded?.key === key) return this.#replay(this.#recorded, batch)
    this.yieldMemory()
    if (records && repeats && this.#refused === undefined) return this.#record(key, batch)
    using _inner = scope()
    return read(run(put(batch)))
  }

  /**
   * Before other work: leaves it the memory of what was recorded. On CUDA that is kept: a graph takes longer to record
   * than to repeat.
   */
  yieldMemory(): void {
    if (!this.#work.device.startsWith('cuda')) this.dispose()
  }

  /** Forgets what was recorded. */
  dispose(): void {
    const { recording, inputs, outputs } = this.#recorded ?? {}
    this.#recorded = undefined
    recording?.dispose()
    for (const tensor of Object.values({ ...inputs, ...outputs })) tensor.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #replay({ recording, inputs, outputs }: Recorded<Inputs, Outputs>, batch: Batch): Results {
    for (const [name, input] of Object.entries(inputs)) input.assign(batch[name] as ArrayOf<DType>)
    recording.replay()
    return this.#work.read(outputs)
  }

  #record(key: string, batch: Batch): Results {
    this.dispose()
    const { device, put, run, read } = this.#work
    using _inner = scope()
    const inputs = put(batch)
    const { result: outputs, recording, refused } = record(() => run(inputs), device)
    this.#refused = refused
    if (recording !== undefined) {
      for (const tensor of Object.values({ ...inputs, ...outputs })) untracked(() => tensor)
      this.#recorded = { key, recording, inputs, outputs }
    }
    return read(outputs)
  }
}
