/**
 * `igcnet summary`: the layers of a network with the shapes of their results, parameters and multiply-adds, and the
 * totals as the papers count them. Checked in test/cli/summary.test.ts against the published counts.
 */
import type { Command } from 'commander'
import { imageSize } from '../models/table.ts'
import type { Summary, SummaryRow } from '../train/index.ts'
import { toModelSizes } from '../train/network-sizes.ts'
import { checkedUsage } from './failure.ts'
import { addNetworkOptions, checkNetworkOptions, type NetworkChoice, warnOf } from './network-options.ts'
import { formatTable, withCommas } from './table.ts'
import type { Terminal } from './terminal.ts'

/** Adds the command to the program. */
export function addSummary(program: Command, terminal: Terminal): void {
  const command = program.command('summary').description('Print the layers, parameters and multiply-adds of a network.')
  addNetworkOptions(command, '10, or 1000 for networks of ImageNet')
  command
    .optionsGroup('Output:')
    .option('--json', 'print the totals as one JSON object on the last line instead of the table')
    .action(async (choice: NetworkChoice & { json?: boolean }) => {
      const summary = await summaryOf(choice)
      warnOf(choice.network ?? 'plain_igc', choice, terminal)
      terminal.out(choice.json ? `${JSON.stringify(totalsOf(summary))}\n` : summaryText(summary))
    })
}

/** The layers and counts of the network that the options choose. @throws UsageError for a depth that does not fit */
export async function summaryOf(choice: NetworkChoice): Promise<Summary> {
  const { create } = await import('../models/index.ts')
  const { summarize } = await import('../train/index.ts')
  const { network = 'plain_igc', numClasses } = choice
  checkNetworkOptions(choice)
  const sizes = toModelSizes(choice)
  const classes = numClasses === undefined ? {} : { classes: numClasses }
  const net = checkedUsage(() => create(network, { ...sizes, ...classes }))
  const edge = imageSize(network, sizes)
  try {
    return summarize(net, [1, edge, edge, 3])
  } finally {
    net.dispose()
  }
}

/** What `summary --json` prints. */
export function totalsOf(summary: Summary): Omit<Summary, 'rows'> {
  const { parameters, convParameters, bnParameters, linearParameters, macs } = summary
  return { parameters, convParameters, bnParameters, linearParameters, macs }
}

/** The layers of a network as text in columns. */
export function layerTable(layers: readonly SummaryRow[]): string {
  const rows = layers.map(row => [
    row.name,
    row.type,
    row.output.slice(1).join('x'),
    withCommas(row.parameters),
    withCommas(row.multiplyAdds),
  ])
  const head = ['layer', 'type', 'output', 'parameters', 'multiply-adds']
  return formatTable(head, rows, [false, false, true, true, true])
}

function summaryText(summary: Summary): string {
  const count = (name: string, value: number) => `${name.padEnd(24)}${withCommas(value).padStart(15)}\n`
  return (
    `${layerTable(summary.rows)}\n` +
    count('convolution parameters', summary.convParameters) +
    count('batch norm parameters', summary.bnParameters) +
    count('linear parameters', summary.linearParameters) +
    count('parameters', summary.parameters) +
    count('multiply-adds, one image', summary.macs)
  )
}
