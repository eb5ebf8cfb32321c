/**
 * How the command line fails: one sentence on standard error and an exit code. 2 for a command line that makes no
 * sense, 1 for everything that goes wrong afterwards; IGCNET_DEBUG=1 adds the stack. Checked in
 * test/cli/usage.test.ts and test/cli/failure.test.ts.
 */
import { CommanderError } from 'commander'
import { distance } from 'fastest-levenshtein'
import { IgcError } from '../errors.ts'

export const EXIT_FAILURE = 1
export const EXIT_USAGE = 2
/** 128 + SIGPIPE: what a shell reports of a program whose reader went away. */
export const EXIT_BROKEN_PIPE = 141

/** What was typed makes no sense: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A signal ended the command before its work was done. The message, if any, says how to go on. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError'
  readonly exitCode: number
  constructor(exitCode: number, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Names at most this share of letters away from what was typed are taken for what was meant. */
const MAX_DISTANCE = 0.4
/** Shorter words than this are part of too many names to say anything. */
const MIN_PART = 4

/** The name that was probably meant: few letters away, or containing the word. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const typed = word.toLowerCase()
  const within = names
    .map(name => ({ name, away: distance(typed, name.toLowerCase()) }))
    .filter(({ name, away }) => away <= Math.max(2, MAX_DISTANCE * Math.max(typed.length, name.length)))
    .filter(({ name, away }) => away < name.length)
    .sort((a, b) => a.away - b.away)
  const containing = typed.length < MIN_PART ? undefined : names.find(name => name.includes(typed))
  return within[0]?.name ?? containing
}

/**
 * `unknown network "plain_icg": did you mean plain_igc?`, or what there is if nothing is near.
 * @param otherWords names by other words for the same thing
 */
export function unknownName(
  kind: string,
  word: string,
  names: readonly string[],
  otherWords: Readonly<Record<string, string>> = {},
): UsageError {
  const typed = word.toLowerCase()
  const meant = Object.hasOwn(otherWords, typed) ? otherWords[typed] : nearest(word, names)
  const hint = meant === undefined ? `expected one of ${names.join(', ')}` : `did you mean ${meant}?`
  return new UsageError(`unknown ${kind} ${JSON.stringify(word)}: ${hint}`)
}

/** Runs `check` and takes the RangeErrors of the library for what they are here: options that make no sense. */
export function checkedUsage<T>(check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (isOutOfRange(error)) throw new UsageError((error as RangeError).message, { cause: error })
    throw error
  }
}

function isOutOfRange(error: unknown): boolean {
  // V8's own RangeErrors (stack overflow, invalid array length) are faults, not options; igcnet's say what was expected.
  return error instanceof RangeError && error.message.includes('expected')
}

/** The exit code of a command that threw `error`. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError || error instanceof CommanderError) return error.exitCode
  return error instanceof UsageError || isOutOfRange(error) ? EXIT_USAGE : EXIT_FAILURE
}

/** What went wrong, in one line. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error))
  const explained = error instanceof IgcError || error instanceof UsageError || error instanceof InterruptedError
  const { code } = error as NodeJS.ErrnoException
  const message = error.message || (code ?? 'no message')
  if (explained || code !== undefined || isOutOfRange(error)) return oneLine(message)
  return oneLine(`${error.name}: ${message} (IGCNET_DEBUG=1 shows where)`)
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ')
}

/** Prints the sentence of an error, and its stack if asked to; nothing where the reader went away. */
export function reportFailure(error: unknown, write: (text: string) => void): void {
  if (error instanceof InterruptedError && error.exitCode === EXIT_BROKEN_PIPE) return
  write(`igcnet: ${sentenceOf(error).replace(/^igcnet: /, '')}\n`)
  if (process.env.IGCNET_DEBUG === '1' && error instanceof Error) write(`${stackOf(error)}\n`)
}

function stackOf(error: Error): string {
  const { cause } = error
  return (error.stack ?? error.message) + (cause instanceof Error ? `\ncaused by ${stackOf(cause)}` : '')
}
