/**
 * The command line as a whole: its commands, and what its parser says about one that makes no sense, in one sentence
 * with the nearest valid name. Checked in test/cli/usage.test.ts.
 */
import { Command, CommanderError } from 'commander'
import { addBench } from './bench.ts'
import { addDoctor } from './doctor.ts'
import { addEvaluate } from './evaluate.ts'
import { exitCodeOf, nearest, reportFailure, UsageError, unknownName } from './failure.ts'
import { addReproduce } from './reproduce.ts'
import { addSummary } from './summary.ts'
import type { Terminal } from './terminal.ts'
import { addTrain } from './train.ts'
import { packageVersion } from './version.ts'

/** Columns of help that no terminal shows: every option on one line. */
const HELP_WIDTH = 140

/** The program with its commands, writing to `terminal`. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('igcnet')
    .description('Train and inspect interleaved group convolution networks (IGCNets).')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command...]', 'print help for a command')
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      outputError: () => {},
      getOutHelpWidth: () => terminal.columns() ?? HELP_WIDTH,
    })
    .showSuggestionAfterError(false)
  for (const add of [addTrain, addEvaluate, addSummary, addReproduce, addBench, addDoctor]) add(program, terminal)
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride(error => {
      throw explain(command, error)
    })
  }
  return program
}

/** Runs a command line (without `node` and the script) to its end. Returns the exit code; throws nothing. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const program = createProgram(terminal)
  try {
    if (argv.length === 0) program.outputHelp()
    else {
      await program.parseAsync(helpAsOption(program, argv), { from: 'user' })
    }
    return 0
  } catch (error) {
    const asked = error instanceof CommanderError && error.exitCode === 0 // --help, --version
    if (!asked) reportFailure(error, terminal.err)
    return exitCodeOf(error)
  }
}

/** `reproduce counts`: the names from the program down, without its own. */
function pathOf(command: Command): string {
  const { parent } = command
  return parent?.parent ? `${pathOf(parent)} ${command.name()}` : command.name()
}

function commandNames(program: Command): string[] {
  return [...program.commands.map(command => command.name()), 'help']
}

/**
 * `help reproduce counts` as `reproduce counts --help`: the parser's own `help` looks at one name only. Other command
 * lines as they are. @throws UsageError for a name that is no command
 */
function helpAsOption(program: Command, argv: readonly string[]): readonly string[] {
  const [first, ...topics] = argv
  if (first !== 'help' || topics.length === 0 || topics.some(topic => topic === 'help' || topic.startsWith('-'))) {
    return argv
  }
  let command = program
  for (const topic of topics) {
    const found = command.commands.find(one => one.name() === topic)
    if (found === undefined) throw noSuchTopic(command, topic)
    command = found
  }
  return [...topics, '--help']
}

function noSuchTopic(command: Command, topic: string): UsageError {
  if (!command.parent) return unknownName('command', topic, commandNames(command))
  const names = command.commands.map(one => one.name())
  if (names.length > 0) return unknownName('command', topic, names)
  return new UsageError(`help ${pathOf(command)}: expected no further name but received ${JSON.stringify(topic)}`)
}

/** The parser's error in our words. */
function explain(command: Command, error: CommanderError): Error {
  if (error.exitCode === 0) return error
  const name = pathOf(command)
  const subject = /'([^']*)'/.exec(error.message)?.[1] ?? ''
  switch (error.code) {
    case 'commander.unknownCommand':
      return unknownName('command', subject, commandNames(command))
    case 'commander.unknownOption': {
      const flags = command.createHelp().visibleOptions(command)
      const meant = nearest(
        subject.split('=')[0] ?? '',
        flags.flatMap(({ long, short }) => [long ?? [], short ?? []].flat()),
      )
      const hint =
        meant === undefined
          ? `\`igcnet${command.parent ? ` ${name}` : ''} --help\` lists the options`
          : `did you mean ${meant}?`
      return new UsageError(`unknown option ${subject}: ${hint}`)
    }
    case 'commander.excessArguments':
      return new UsageError(`${name}: expected options only but received ${JSON.stringify(command.args[0] ?? '')}`)
    case 'commander.optionMissingArgument':
      return new UsageError(`${name}: expected a value after ${subject}`)
    case 'commander.missingMandatoryOptionValue':
      return new UsageError(`${name}: expected ${subject}`)
    default:
      return new UsageError(error.message.replace(/^error: /, ''))
  }
}
