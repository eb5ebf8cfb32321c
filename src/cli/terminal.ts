/**
 * Where a command writes: standard output and standard error, and whether a person watches. One object that tests
 * replace. A reader that goes away (`| head`) ends the command quietly. Standard output that cannot be written for another
 * reason (a full disk) is told on standard error, stops the work as Ctrl-C does, and makes the exit code 1; without standard
 * error the work goes on. Checked in test/cli/terminal.test.ts.
 */
import { EXIT_FAILURE } from './failure.ts'

export interface Terminal {
  /** Writes to standard output. */
  out(text: string): void
  /** Writes to standard error. */
  err(text: string): void
  /** The stream for progress: standard error if results alone belong on standard output. */
  progress(json: boolean): NodeJS.WriteStream
  /** Columns of standard output, if it is a terminal. */
  columns(): number | undefined
  /** Aborts when standard output cannot be written: results would be lost. */
  readonly broken: AbortSignal
}

/** 128 + SIGPIPE: what a shell reports of a program whose reader went away. */
const EXIT_BROKEN_PIPE = 141

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const broken = new AbortController()
  const onError = (then: (error: Error) => void) => (error: NodeJS.ErrnoException) =>
    error.code === 'EPIPE' ? process.exit(EXIT_BROKEN_PIPE) : then(error)
  process.stdout.on(
    'error',
    onError(error => {
      if (broken.signal.aborted) return // every write tells of it
      process.stderr.write(`igcnet: cannot write to standard output: ${error.message}\n`)
      process.exitCode ||= EXIT_FAILURE // if the command is over already
      broken.abort()
    }),
  )
  process.stderr.on(
    'error',
    onError(() => {}), // see err()
  )
  return {
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
  }
}

/** Whether a bar may be drawn on the stream: a terminal that can move its cursor. */
export function isInteractive(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env.TERM !== 'dumb'
}
