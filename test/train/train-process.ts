/**
 * A process that trains and, if told so, kills itself with SIGKILL at one exact moment: the other side of
 * resume.test.ts. Its argument is a `Task` in JSON; it prints a line with every step and the result at the end.
 */
import type { TrainConfig } from '../../src/train/config.ts'
import type { TrainOptions } from '../../src/train/options.ts'
import { train } from '../../src/train/trainer.ts'
import { observedDisk } from '../support/faulty-disk.ts'

/** When the process dies. */
export type Kill =
  /** At the n-th operation of this name (from 1), before it, in the middle of it, or after it. */
  | { operation: string; when: 'before' | 'halfway' | 'after'; nth: number }
  /** In the handler of the n-th progress of this kind. */
  | { progress: 'step' | 'epoch' | 'checkpoint'; nth: number }

export interface Task {
  config: TrainConfig
  options: Pick<TrainOptions, 'runDir' | 'resume'>
  kill?: Kill | undefined
}

function die(): void {
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) // nothing happens any more
}

/** Calls `die` when it was called `nth` times. */
function countdown(nth: number): () => void {
  let left = nth
  return () => {
    if (--left === 0) die()
  }
}

const { config, options, kill } = JSON.parse(process.argv[2] ?? '') as Task
const count = countdown(kill?.nth ?? 0)
const at = (when: string) => (operation: string) => {
  if (kill && 'operation' in kill && kill.operation === operation && kill.when === when) count()
}
const result = await train(config, {
  ...options,
  disk: observedDisk(at('before'), at('halfway'), at('after')),
  onProgress: ({ kind }) => {
    if (kind === 'step') process.stdout.write('step\n')
    if (kill && 'progress' in kill && kill.progress === kind) count()
  },
})
process.stdout.write(`${JSON.stringify(result)}\n`)
