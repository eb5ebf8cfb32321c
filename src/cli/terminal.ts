/**
 * Where a command writes: standard output and standard error, and whether a person watches. One object that tests
 * replace. A reader that goes away (`| head`) ends the command quietly; work that can be stopped is stopped, as by Ctrl-C,
 * which ends such readers, too. Standard output that cannot be written for another reason (a full disk) is told on standard
 * error, stops the work likewise, and makes the exit code 1; without standard error the work goes on. Checked in
 * test/cli/terminal.test.ts.
 */
import { EXIT_BROKEN_PIPE, EXIT_FAILURE } from './failure.ts'

export interface Terminal {
  /** Writes to standard output. */
  out(text: string): void
  /** Writes to standard error. */
  err(text: string): void
  /** The stream for progress: standard error if results alone belong on standard output. */
  progress(json: boolean): NodeJS.WriteStream
  /** Columns of standard output, if it is a terminal. */
  columns(): number | undefined
  /** Aborts when output cannot be written and results would be lost; its reason is the exit code. */
  readonly broken: AbortSignal
  /** Whether work is under way that `broken` stops. Else a reader that goes away ends the process. */
  stoppable: boolean
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const broken = new AbortController()
  const stop = (exitCode: number) => {
    process.exitCode ||= exitCode // if the command is over already
    broken.abort(exitCode)
  }
  const onError = (then: (error: Error) => void) => (error: NodeJS.ErrnoException) => {
    if (broken.signal.aborted) return // every write tells of it
    if (error.code !== 'EPIPE') then(error)
    else if (terminal.stoppable) stop(EXIT_BROKEN_PIPE)
    else process.exit(EXIT_BROKEN_PIPE)
  }
  process.stdout.on(
    'error',
    onError(error => {
      process.stderr.write(`igcnet: cannot write to standard output: ${error.message}\n`)
      stop(EXIT_FAILURE)
    }),
  )
  process.stderr.on(
    'error',
    onError(() => {}), // see err()
  )
  const terminal: Terminal = {
    out: text => void process.stdout.write(text),
    // Messages, unlike progress, are for standard output then.
    err: text => {
      process.stderr.write(text, (error?: NodeJS.ErrnoException | null) => {
        if (error && error.code !== 'EPIPE') process.stdout.write(text)
      })
    },
    broken: broken.signal,
    progress: json => (json ? process.stderr : process.stdout),
    columns: () => (process.stdout.isTTY ? process.stdout.columns : undefined),
    stoppable: false,
  }
  return terminal
}

/** Whether a bar may be drawn on the stream: a terminal that can move its cursor. */
export function isInteractive(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env.TERM !== 'dumb'
}
