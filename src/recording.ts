/**
 * Work that is recorded once and repeated as one piece: on CUDA a graph, which is launched at once, without JavaScript and
 * without a launch for each kernel. Checked in test/binding/recording.test.ts.
 */
import { carryingOut } from './deferred.ts'
import { type NativeRecording, native } from './native.ts'
import type { DeviceName } from './tensor.ts'

/** What was recorded. It keeps the memory that it works on until it is disposed of. */
export class Recording implements Disposable {
  readonly #native: NativeRecording

  /** @internal */ constructor(recording: NativeRecording) {
    this.#native = recording
  }

  /**
   * Enqueues it again: the same operations, on the same memory. Inputs are changed by `assign`; results are written anew
   * into the tensors of the recording.
   * @throws DisposedError
   */
  replay(): void {
    native.recordReplay(this.#native)
  }

  /** Frees its memory. Twice is allowed. */
  dispose(): void {
    native.recordDispose(this.#native)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/**
 * Runs `body` once and records what it enqueues on the device. What cannot be repeated (dropout, random numbers, values
 * that come from JavaScript or are read in between) takes place all the same; then there is no recording, but the reason.
 * @param body synchronous; what it throws is thrown, after what was enqueued until then has taken place
 * @returns `recording` or `refused`, and the result of `body`
 * @throws UnsupportedError inside of another recording; TypeError for a body that gives a promise
 * @example
 * const { recording } = device.record(() => { y = net.forward(x) }, 'cuda')
 * x.assign(next)
 * recording?.replay() // y has the values for `next`
 */
export function record<T>(
  body: () => T,
  device: DeviceName = 'cpu',
): { result: T; recording?: Recording; refused?: string } {
  native.recordBegin(device)
  let ended: ReturnType<typeof native.recordEnd> | undefined
  try {
    const result = carryingOut(body) // what was left undone would not be repeated
    if (result instanceof Promise) {
      result.catch(() => {}) // nobody will have it
      throw new TypeError('record: expected a synchronous body but received one that gives a promise')
    }
    ended = native.recordEnd(device)
    const { recording, refused } = ended
    return recording === undefined
      ? { result, refused: refused as string }
      : { result, recording: new Recording(recording) }
  } finally {
    if (ended === undefined) {
      const { recording } = native.recordEnd(device)
      if (recording !== undefined) native.recordDispose(recording)
    }
  }
}
