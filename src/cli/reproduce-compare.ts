/** `igcnet reproduce compare`: networks trained with one recipe, side by side. Checked in test/cli/reproduce-studies.test.ts. */
import type { Command } from 'commander'
import { checkedUsage, UsageError } from './failure.ts'
import { addStudyOptions, recipeOf, runStudyCommand, type StudyChoice } from './study.ts'
import type { Terminal } from './terminal.ts'
import { wholeNumber } from './values.ts'

interface CompareChoice extends StudyChoice {
  networks: string[]
  depth?: number
}

/** Adds the command to `reproduce`. */
export function addReproduceCompare(reproduce: Command, terminal: Terminal): void {
  const command = reproduce
    .command('compare')
    .description(
      'Train networks with one recipe, and draw their accuracy over parameters, multiply-adds and training time.',
    )
    .optionsGroup('Networks:')
    .requiredOption(
      '--networks <list>',
      '(required) names separated by commas, with sizes where they are not the default: plain-W16-d20,plain_igc-L24M2-d20',
      networkList,
    )
    .option('--depth <n>', 'weighted layers where a name has none (default: 20)', wholeNumber('--depth', 1, 10_000))
  addStudyOptions(command, 'runs/compare-<dataset>')
  command.action((choice: CompareChoice) => runCompare(choice, terminal))
}

function networkList(text: string): string[] {
  const words = text.split(',').map(word => word.trim())
  if (words.every(word => word !== '')) return words
  throw new UsageError(`--networks: expected names separated by commas but received ${JSON.stringify(text)}`)
}

async function runCompare({ networks, ...choice }: CompareChoice, terminal: Terminal): Promise<void> {
  const recipe = await recipeOf(choice, terminal)
  const { compare, comparedMembers, COMPARED_COLUMNS: columns } = await import('../reproduce/index.ts')
  checkedUsage(() => comparedMembers(networks, recipe))
  const { runDir = `runs/compare-${recipe.dataset ?? 'digits'}`, json } = choice
  await runStudyCommand({ runDir, json }, terminal, async options => {
    return { ...(await compare(networks, recipe, options)), columns }
  })
}
