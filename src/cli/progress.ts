/**
 * Progress of a training or evaluation: on a terminal a bar, elsewhere plain lines, one for each epoch and one every
 * ten seconds in between. No colours. Checked in test/cli/progress.test.ts.
 */
import { SingleBar } from 'cli-progress'
import type { Progress } from '../train/index.ts'
import { withCommas } from './table.ts'
import { isInteractive } from './terminal.ts'

type Step = Extract<Progress, { kind: 'step' }>
type Epoch = Extract<Progress, { kind: 'epoch' }>
type Download = Extract<Progress, { kind: 'download' }>

/** Shows what a run tells; `close` leaves the terminal as it was, at the beginning of a line. */
export interface Reporter {
  show(progress: Progress): void
  close(): void
}

/**
 * The way to show progress that fits the stream.
 * @param headline a line before the first progress: what fails at once has none
 */
export function reporterFor(stream: NodeJS.WriteStream, headline?: string): Reporter {
  const reporter = isInteractive(stream) ? new BarReporter(stream) : new LineReporter(text => void stream.write(text))
  let line = headline
  return {
    show: progress => {
      if (line !== undefined) stream.write(`${line}\n`)
      line = undefined
      reporter.show(progress)
    },
    close: () => reporter.close(),
  }
}

/** 75 s as 1:15, 3,700 s as 1:01:40. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-:--'
  const whole = Math.max(0, Math.round(seconds))
  const minutes = Math.floor(whole / 60) % 60
  const tail = `${String(whole % 60).padStart(2, '0')}`
  const hours = Math.floor(whole / 3600)
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}

/** Four significant digits, without an exponent where that is readable: 0.1, 0.001, 1e-7. */
export function formatRate(rate: number): string {
  return String(Number(rate.toPrecision(4)))
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

/** The line of a finished epoch. */
export function epochLine(row: Epoch): string {
  const parts = [
    `train loss ${row.trainLoss.toFixed(4)}`,
    `top-1 ${row.trainTop1.toFixed(2)} %`,
    `test loss ${row.testLoss.toFixed(4)}`,
    `top-1 ${row.testTop1.toFixed(2)} %${row.best ? ' (best)' : ''}`,
    `lr ${formatRate(row.lr)}`,
    `${withCommas(Math.round(row.imagesPerSecond))} images/s`,
    formatDuration(row.seconds),
  ]
  return `epoch ${row.epoch + 1}/${row.epochs}: ${parts.join(', ')}\n`
}

function stepParts(step: Step): string[] {
  return [
    `loss ${step.loss.toFixed(4)}`,
    `top-1 ${step.top1.toFixed(1)} %`,
    `lr ${formatRate(step.lr)}`,
    `${withCommas(Math.round(step.imagesPerSecond))} images/s`,
    `${formatDuration(step.secondsLeft)} left`,
  ]
}

function downloadText({ received, total }: Download): string {
  return `${megabytes(received)}${total === undefined ? '' : ` of ${megabytes(total)}`} MB`
}

function lineOf(progress: Step | Download): string {
  switch (progress.kind) {
    case 'download':
      return `downloading: ${downloadText(progress)}\n`
    case 'step': {
      const { epoch, epochs, step, steps } = progress
      return `epoch ${epoch + 1}/${epochs}, step ${step}/${steps}: ${stepParts(progress).join(', ')}\n`
    }
  }
}

/** No line for steps and downloads sooner than this after the last line. */
const LINE_SECONDS = 10

/** Plain lines, for files, pipes and terminals that cannot move the cursor. */
export class LineReporter implements Reporter {
  readonly #write: (text: string) => void
  readonly #now: () => number
  #last: number

  /** @param now the time in seconds; tests have their own */
  constructor(write: (text: string) => void, now = () => performance.now() / 1000) {
    this.#write = write
    this.#now = now
    this.#last = now()
  }

  show(progress: Progress): void {
    if (progress.kind === 'epoch') this.#line(epochLine(progress))
    else if (progress.kind !== 'checkpoint' && this.#now() - this.#last >= LINE_SECONDS) {
      this.#line(lineOf(progress))
    }
  }

  close(): void {}

  #line(text: string): void {
    this.#last = this.#now()
    this.#write(text)
  }
}

const BAR_FORMAT = '{label} [{bar}] {text}'
const MIN_BAR = 5
const MAX_BAR = 20
/** Columns of the label, the text and what is between them, as a rule. */
const TEXT_COLUMNS = 76

/** One bar for the epoch (or download) under way, which its line then replaces. */
export class BarReporter implements Reporter {
  readonly #stream: NodeJS.WriteStream
  #bar: SingleBar | undefined
  #label = ''

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  show(progress: Progress): void {
    if (progress.kind === 'step') {
      const { epoch, epochs, step, steps } = progress
      this.#draw(`epoch ${epoch + 1}/${epochs}`, step, steps, stepParts(progress).join('  '))
    } else if (progress.kind === 'download') {
      const { received, total } = progress
      this.#draw('download', received, total ?? received, downloadText(progress))
    } else if (progress.kind === 'epoch') {
      this.close()
      this.#stream.write(epochLine(progress))
    }
  }

  close(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }

  #draw(label: string, value: number, total: number, text: string): void {
    if (this.#bar !== undefined && this.#label === label) {
      this.#bar.setTotal(total)
      this.#bar.update(value, { label, text })
      return
    }
    this.close()
    this.#label = label
    this.#bar = new SingleBar({
      format: BAR_FORMAT,
      stream: this.#stream,
      barsize: Math.min(MAX_BAR, Math.max(MIN_BAR, (this.#stream.columns ?? 80) - TEXT_COLUMNS)),
      barCompleteChar: '=',
      barIncompleteChar: ' ',
      clearOnComplete: true,
      hideCursor: true,
      gracefulExit: false, // signals.ts decides what a signal does
    })
    this.#bar.start(total, value, { label, text })
  }
}
