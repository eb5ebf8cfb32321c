/**
 * `igcnet reproduce counts`: parameters and multiply-adds of every network of the papers' tables beside the published
 * numbers. Checked in test/cli/reproduce-counts.test.ts, the numbers in test/reproduce/counts.test.ts.
 */
import type { Command } from 'commander'
import { InternalError } from '../errors.ts'
import type { Comparison, CountedRow, CountedTable } from '../reproduce/index.ts'
import { NETWORKS } from './names.ts'
import { layerTable } from './summary.ts'
import { formatTable, withCommas } from './table.ts'
import type { Terminal } from './terminal.ts'
import { oneOf } from './values.ts'

interface CountsChoice {
  network?: (typeof NETWORKS)[number]
  json?: boolean
}

/** Adds the command to `reproduce`. */
export function addReproduceCounts(reproduce: Command, terminal: Terminal): void {
  reproduce
    .command('counts')
    .description(
      "Print parameters and multiply-adds of the networks of the papers' tables, counted here, beside the published numbers.",
    )
    .option(
      '--network <name>',
      'only the rows of this network, and its layers (default: all rows, without layers)',
      oneOf('network', NETWORKS),
    )
    .option('--json', 'print one JSON object on the last line instead of the tables')
    .action((choice: CountsChoice) => runCounts(choice, terminal))
}

async function runCounts({ network, json }: CountsChoice, terminal: Terminal): Promise<void> {
  const { countTables, differences } = await import('../reproduce/index.ts')
  const tables = countTables({ network })
  const { all, unexplained } = differences(tables)
  const numbers = tables.flatMap(({ rows }) => rows.flatMap(({ values }) => values)).length
  const totals = { numbers, differ: all.length, unexplained: unexplained.length }
  if (json) terminal.out(`${JSON.stringify({ ...totals, tables })}\n`)
  else {
    for (const table of tables) terminal.out(`${tableText(table)}\n`)
    terminal.out(totalsText(totals))
  }
  if (unexplained.length > 0) {
    throw new InternalError(`counts: expected the published numbers but ${unexplained.length} differ without a reason`)
  }
}

function totalsText({ numbers, differ }: { numbers: number; differ: number }): string {
  const rest = differ === 0 ? '' : `, ${differ} differ for the reasons given`
  return `${withCommas(numbers)} published numbers: ${withCommas(numbers - differ)} equal what is counted here${rest}\n`
}

/** 149904 as 149,904; rounded numbers as they are. */
const shown = (text: string) => (/^\d+$/.test(text) ? withCommas(Number(text)) : text)

/** A table as text: of each quantity what is counted and what is published, then sources, reasons and layers. */
function tableText({ title, sources, origin, rows }: CountedTable): string {
  const quantities = [...new Set(rows.flatMap(({ values }) => values.map(({ title: name }) => name)))]
  const hasClasses = rows.some(({ classes }) => classes !== undefined)
  const reasons = [...new Set(rows.flatMap(({ values }) => values.flatMap(({ reason }) => reason ?? [])))]
  const head = ['', ...(hasClasses ? ['classes'] : []), ...quantities.flatMap(name => [name, 'published'])]
  const body = rows.map(row => [
    row.label,
    ...(hasClasses ? [String(row.classes ?? '')] : []),
    ...quantities.flatMap(name =>
      cells(
        row.values.find(value => value.title === name),
        reasons,
      ),
    ),
  ])
  const right = head.map((_, i) => i > 0)
  const notes = reasons.map((reason, i) => `[${i + 1}] ${reason}\n`).join('')
  const layers = rows.filter(row => row.layers !== undefined).map(layersText)
  const from = sources.map(source => `Source: ${source}\n`).join('')
  return `${title}\n${origin}\n${from}\n${formatTable(head, body, right)}${notes}${layers.join('')}`
}

function cells(value: Comparison | undefined, reasons: readonly string[]): [string, string] {
  if (value === undefined) return ['', '']
  const { rounded, published, equal, reason } = value
  const mark = equal ? '' : reason === undefined ? ' differs' : ` [${reasons.indexOf(reason) + 1}]`
  return [shown(rounded), `${shown(published)}${mark}`]
}

function layersText({ label, classes, layers = [] }: CountedRow): string {
  return `\n${label}, ${classes} classes, layer by layer\n${layerTable(layers)}`
}
