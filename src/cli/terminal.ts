/**
 * Where a command writes: standard output and standard error, and whether a person watches. One object that tests
 * replace. A reader that goes away (`| head`) ends the command quietly. Checked in test/cli/terminal.test.ts.
 */

export interface Terminal {
  /** Writes to standard output. */
  out(text: string): void
  /** Writes to standard error. */
  err(text: string): void
  /** The stream for progress: standard error if results alone belong on standard output. */
  progress(json: boolean): NodeJS.WriteStream
  /** Columns of standard output, if it is a terminal. */
  columns(): number | undefined
}

/** 128 + SIGPIPE: what a shell reports of a program whose reader went away. */
const EXIT_BROKEN_PIPE = 141

/** The terminal of this process. */
export function processTerminal(): Terminal {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? EXIT_BROKEN_PIPE : 1)
    })
  }
  return {
    out: text => void process.stdout.write(text),
    err: text => void process.stderr.write(text),
    progress: json => (json ? process.stderr : process.stdout),
    columns: () => (process.stdout.isTTY ? process.stdout.columns : undefined),
  }
}

/** Whether a bar may be drawn on the stream: a terminal that can move its cursor. */
export function isInteractive(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env.TERM !== 'dumb'
}
