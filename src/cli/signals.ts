/**
 * Ctrl-C and SIGTERM: the first one asks the work to stop at its next step, a second one ends the process at once. Output
 * that is lost asks it to stop, too. Checked in test/cli/interrupt.test.ts and test/cli/terminal.test.ts.
 */
import { EXIT_BROKEN_PIPE } from './failure.ts'
import type { Terminal } from './terminal.ts'

/** 128 + the number of the signal, as shells have it. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const
type Signal = keyof typeof EXIT_CODES

/** npm hands its own Ctrl-C on to the script that it runs, which had it from the terminal already. */
const SAME_KEYSTROKE_MS = 100

/** Work that a signal can stop. */
export interface Stoppable {
  /** Aborts when the first signal comes, or output is lost. */
  readonly signal: AbortSignal
  /** Of what stopped it; undefined before. */
  exitCode(): number | undefined
}

/**
 * Runs `work` with the signals handled, and hands them back to Node afterwards.
 * @param terminal whose lost output stops the work
 * @param onFirst says that the work is stopping, unless nobody reads it
 * @param onSecond leaves the terminal in order just before the process ends
 */
export async function stoppable<T>(
  terminal: Terminal,
  work: (stop: Stoppable) => Promise<T>,
  onFirst: () => void,
  onSecond: () => void,
): Promise<T> {
  const controller = new AbortController()
  let first: { exitCode: number; time: number } | undefined
  const names = Object.keys(EXIT_CODES) as Signal[]
  const stop = (exitCode: number) => {
    first = { exitCode, time: performance.now() }
    if (exitCode !== EXIT_BROKEN_PIPE) onFirst()
    controller.abort()
  }
  const onBroken = () => {
    if (first === undefined) stop(terminal.broken.reason)
  }
  const handle = (name: Signal) => {
    if (first === undefined) stop(EXIT_CODES[name])
    else if (performance.now() - first.time > SAME_KEYSTROKE_MS) {
      onSecond()
      // By the signal itself: process.exit() would wait for the op that is running. A shell sees the same exit code.
      for (const each of names) process.off(each, handle)
      process.kill(process.pid, name)
    }
  }
  for (const name of names) process.on(name, handle)
  terminal.stoppable = true
  terminal.broken.addEventListener('abort', onBroken)
  if (terminal.broken.aborted) onBroken()
  try {
    return await work({ signal: controller.signal, exitCode: () => first?.exitCode })
  } finally {
    for (const name of names) process.off(name, handle)
    terminal.broken.removeEventListener('abort', onBroken)
    terminal.stoppable = false
  }
}
