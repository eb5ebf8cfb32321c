/** `igcnet reproduce partitions`: the papers' study of partitions, trained. Checked in test/cli/reproduce-studies.test.ts. */
import type { Command } from 'commander'
import { checkedUsage } from './failure.ts'
import { addStudyOptions, recipeOf, runStudyCommand, type StudyChoice } from './study.ts'
import type { Terminal } from './terminal.ts'
import { wholeNumber } from './values.ts'

interface PartitionsChoice extends StudyChoice {
  depth?: number
  budget?: number
}

/** Adds the command to `reproduce`. */
export function addReproducePartitions(reproduce: Command, terminal: Terminal): void {
  const command = reproduce
    .command('partitions')
    .description(
      'Train plain_igc with every L and M of about the same number of weights, and draw the accuracy over (L, M).',
    )
    .optionsGroup('Networks:')
    .option('--depth <n>', 'weighted layers, 3B + 2 (default: 20)', wholeNumber('--depth', 1, 10_000))
    .option('--budget <n>', "weights of a block, about (default: 4672, the paper's)", wholeNumber('--budget', 1, 1e9))
  addStudyOptions(command, 'runs/partitions-<dataset>')
  command.action((choice: PartitionsChoice) => runPartitions(choice, terminal))
}

async function runPartitions({ budget, ...choice }: PartitionsChoice, terminal: Terminal): Promise<void> {
  const recipe = await recipeOf(choice, terminal)
  const { PARTITION_COLUMNS: columns, partitionMembers, partitions } = await import('../reproduce/index.ts')
  checkedUsage(() => partitionMembers(recipe, budget))
  const { runDir = `runs/partitions-${recipe.dataset ?? 'digits'}`, json } = choice
  await runStudyCommand({ runDir, json }, terminal, async options => {
    return { ...(await partitions(recipe, { ...options, budget })), columns }
  })
}
