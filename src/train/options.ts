/** The options of `train` that are no configuration. Checked in test/unit/train-options.test.ts. */
import { inWords } from '../values.ts'
import type { Disk } from './disk.ts'
import type { OnProgress } from './progress.ts'

/** What `train` is told besides the configuration. */
export interface TrainOptions {
  /** The run folder; made if it is not there. */
  runDir: string
  /** A run folder, or its last.safetensors: continue that run, in `runDir`, which may be the same folder or another. */
  resume?: string | undefined
  /** Abort it, and the step under way is finished, a checkpoint written, and `train` returns with `stopped: true`. */
  signal?: AbortSignal | undefined
  /** Called in the loop, which waits for the promise it returns, if any: what it throws or rejects with ends the run. */
  onProgress?: OnProgress | undefined
  /** @internal For tests that let it fail. */
  disk?: Disk | undefined
}

/** For callers without types. @throws TypeError */
export function checkOptions(options: TrainOptions): void {
  const fail = (expected: string, received: unknown) => {
    throw new TypeError(`train: expected ${expected} but received ${received === '' ? "''" : inWords(received)}`)
  }
  if (typeof options !== 'object' || options === null) fail('an object of options with runDir', options)
  const { runDir, resume, signal, onProgress } = options
  if (typeof runDir !== 'string' || runDir === '') fail('the path of a folder for runDir', runDir)
  if (resume !== undefined && typeof resume !== 'string') fail('a path for resume', resume)
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') fail('an AbortSignal for signal', signal)
  if (onProgress !== undefined && typeof onProgress !== 'function') fail('a function for onProgress', onProgress)
}
