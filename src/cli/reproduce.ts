/**
 * `igcnet reproduce`: the tables and studies of the papers, computed here. Its commands: reproduce-counts.ts,
 * reproduce-partitions.ts, reproduce-compare.ts. Checked in
 * test/cli/reproduce-counts.test.ts and test/cli/reproduce-studies.test.ts.
 */
import type { Command } from 'commander'
import { unknownName } from './failure.ts'
import { addReproduceCompare } from './reproduce-compare.ts'
import { addReproduceCounts } from './reproduce-counts.ts'
import { addReproducePartitions } from './reproduce-partitions.ts'
import type { Terminal } from './terminal.ts'

/** Adds the command, with its own commands, to the program. */
export function addReproduce(program: Command, terminal: Terminal): void {
  const command = program
    .command('reproduce')
    .description("The papers' tables and studies, computed here: counts, partitions, compare.")
  for (const add of [addReproduceCounts, addReproducePartitions, addReproduceCompare]) add(command, terminal)
  // Not before: the commands would inherit it.
  command.allowExcessArguments().action(() => {
    const [word] = command.args
    const names = command.commands.map(one => one.name())
    if (word !== undefined) throw unknownName('command', word, names)
    command.outputHelp()
  })
}
