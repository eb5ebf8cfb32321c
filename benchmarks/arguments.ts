/** Options of the benchmark scripts, with the parsers of the command line. Checked in test/benchmarks/. */
import { Command, CommanderError, Option } from 'commander'
import { exitCodeOf, reportFailure, UsageError } from '../src/cli/failure.ts'

/** A command that throws what is wrong with its options. */
export function benchmarkCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .allowExcessArguments(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride(error => {
      if (error.exitCode === 0) throw error
      throw new UsageError(error.message.replace(/^error: /, ''))
    })
}

/** Runs a benchmark script to its end: what goes wrong is one sentence on standard error, and the exit code. */
export async function runScript(command: Command): Promise<void> {
  try {
    await command.parseAsync()
  } catch (error) {
    const asked = error instanceof CommanderError && error.exitCode === 0
    if (!asked) reportFailure(error, text => void process.stderr.write(text))
    process.exitCode = exitCodeOf(error)
  }
}

/** An option of words separated by commas, `train,block-forward:stage-1`; all without any. */
export function wordsOption(flags: string, description: string): Option {
  const words = (text: string) => text.split(',').filter(word => word !== '')
  return new Option(flags, description).argParser(words).default([], 'all')
}

/**
 * The cases whose id contains one of the words; all for no words.
 * @throws UsageError for a word that is in no id
 */
export function chosen<T extends { readonly id: string }>(option: string, cases: readonly T[], words: string[]): T[] {
  const lost = words.find(word => !cases.some(({ id }) => id.includes(word)))
  if (lost !== undefined) {
    const MOST = 16 // of bench:kernels there are thousands
    const more = cases.length > MOST ? ` and ${cases.length - MOST} more` : ''
    const ids =
      cases
        .slice(0, MOST)
        .map(({ id }) => id)
        .join(', ') + more
    throw new UsageError(`${option}: expected parts of ${ids} but received ${JSON.stringify(lost)}`)
  }
  return cases.filter(({ id }) => words.length === 0 || words.some(word => id.includes(word)))
}
