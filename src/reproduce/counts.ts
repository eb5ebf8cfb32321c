/**
 * The papers' tables of parameters and multiply-adds, counted on the networks themselves, beside the published numbers.
 * Checked in test/reproduce/counts.test.ts.
 */
import { create, type NamedOptions, type NetworkName } from '../models/index.ts'
import { entryOf, imageSize, networkNames, networkTitle } from '../models/table.ts'
import {
  igcv2Parameters,
  igcv2Pattern,
  partitionsFor,
  density as patternDensity,
  pointwiseLayers,
} from '../theory/index.ts'
import { type Summary, type SummaryRow, summarize } from '../train/index.ts'
import {
  type PublishedRow,
  type PublishedTable,
  QUANTITIES,
  type Quantity,
  readPublished,
  type Subject,
} from './published.ts'

/** One number. */
export interface Comparison {
  quantity: Quantity
  /** The quantity in words. */
  title: string
  /** Not rounded, in the unit of the quantity. */
  computed: number
  /** `computed` with as many digits as were published. */
  rounded: string
  published: string
  equal: boolean
  /** Why they differ, where that is known. */
  reason?: string
}

/** A network of a table: what was published and what is counted here. */
export interface CountedRow {
  label: string
  network?: NetworkName
  classes?: number
  values: Comparison[]
  /** Of a network, when asked for. */
  layers?: SummaryRow[]
}

/** A published table, counted here. */
export interface CountedTable {
  id: string
  title: string
  /** Whole references. */
  sources: string[]
  origin: string
  rows: CountedRow[]
}

/** What is counted. */
export interface CountOptions {
  /** Only rows of this network, with their layers; if there are none, its default. Default: all rows, without layers. */
  network?: NetworkName | undefined
}

type Counts = Partial<Record<Quantity, number>>

/**
 * Counts everything that is published. Takes seconds: every network is made and run once.
 * @throws RangeError for an unknown network
 */
export function countTables({ network }: CountOptions = {}): CountedTable[] {
  if (network !== undefined && !networkNames.includes(network)) {
    throw new RangeError(
      `counts: expected one of ${networkNames.join(', ')} for network but received ${String(network)}`,
    )
  }
  const { sources, tables } = readPublished()
  const counted = tables.flatMap(table => {
    const rows = table.rows.filter(row => network === undefined || ('network' in row && row.network === network))
    if (rows.length === 0) return []
    const { id, title, origin } = table
    const references = table.sources.map(name => sources[name] as string)
    return [
      { id, title, sources: references, origin, rows: rows.map(row => countRow(table, row, network !== undefined)) },
    ]
  })
  return counted.length === 0 && network !== undefined ? [unpublished(network)] : counted
}

/** A network that no table has, at its default sizes. */
function unpublished(network: NetworkName): CountedTable {
  const { classes } = entryOf(network)
  const { rows: layers } = summaryOf({ network, sizes: {}, classes })
  const row = { label: networkTitle(network), network, classes, values: [], layers }
  return {
    id: 'unpublished',
    title: network,
    sources: [],
    origin: 'No counts of this network are published.',
    rows: [row],
  }
}

function countRow(table: PublishedTable, row: PublishedRow, withLayers: boolean): CountedRow {
  const summary = 'network' in row ? summaryOf(row) : undefined
  const counts = summary ? networkCounts(summary) : blockCounts(row)
  const values = Object.entries(row.published).map(([quantity, published]) => {
    return compare(quantity as Quantity, counts, published, table, row)
  })
  const { label } = row
  if (!('network' in row)) return { label, values }
  const { network, classes } = row
  return { label, network, classes, values, ...(withLayers && summary && { layers: summary.rows }) }
}

function compare(
  quantity: Quantity,
  counts: Counts,
  published: number | string,
  { id, notes }: PublishedTable,
  { label, reasons }: PublishedRow,
): Comparison {
  const computed = counts[quantity]
  if (computed === undefined) throw new Error(`counts: nothing counts ${quantity} of ${label} in table ${id}`)
  const decimals = String(published).split('.')[1]?.length ?? 0
  const rounded = Number.isInteger(published) ? String(computed) : computed.toFixed(decimals)
  const title = QUANTITIES[quantity]
  const equal = rounded === String(published)
  const reason = notes?.[reasons?.[quantity] ?? '']
  return {
    quantity,
    title,
    computed,
    rounded,
    published: String(published),
    equal,
    ...(reason && !equal && { reason }),
  }
}

function summaryOf({ network, sizes, classes }: Extract<Subject, { network: NetworkName }>): Summary {
  const net = create(network, { ...sizes, classes } as NamedOptions)
  try {
    const size = imageSize(network, sizes)
    return summarize(net, [1, size, size, 3])
  } finally {
    net.dispose()
  }
}

/** Weights of a 7x7 stem for 64 channels, the one by which the paper's table counts all four networks with a stray digit. */
const STEM_OF_64 = 7 * 7 * 3 * 64

function networkCounts(summary: Summary): Counts {
  const { parameters, convParameters, bnParameters, linearParameters, macs, rows } = summary
  const sum = (key: 'parameters' | 'multiplyAdds', part: RegExp) =>
    rows
      .filter(({ name, type }) => type !== 'BatchNorm2d' && part.test(name))
      .reduce((total, row) => total + row[key], 0)
  const projections = /\.shortcut\./
  const readParameters =
    convParameters + linearParameters - sum('parameters', projections) - sum('parameters', /^stem\b/) + STEM_OF_64
  return {
    convParameters,
    bnParameters,
    linearParameters,
    parameters,
    withoutBn: parameters - bnParameters,
    megaParameters: parameters / 1e6,
    paperMegaParameters: (parameters - bnParameters) / 1e6,
    readMegaParameters: readParameters / 1e6,
    megaMacs: macs / 1e6,
    gigaMacs: macs / 1e9,
    paperGigaMacs: macs / 1e9,
    readGigaMacs: (macs - sum('multiplyAdds', projections)) / 1e9,
  }
}

function blockCounts(row: PublishedRow): Counts {
  if ('igcv2Block' in row) {
    const { channels, groupChannels } = row.igcv2Block
    const layers = pointwiseLayers(channels, groupChannels)
    return {
      pointwiseLayers: layers,
      parameters: igcv2Parameters(channels, [1, ...Array<number>(layers).fill(groupChannels)]),
      density: patternDensity(igcv2Pattern(channels, groupChannels)),
    }
  }
  if (!('partitions' in row)) return {}
  const { budget, secondaryPartitions } = row.partitions
  const member = partitionsFor(budget).find(found => found.secondaryPartitions === secondaryPartitions)
  return member ? { primaryPartitions: member.primaryPartitions, parameters: member.parameters } : {}
}

/** The numbers that differ, and of those the ones without a reason. */
export function differences(tables: readonly CountedTable[]): { all: Comparison[]; unexplained: Comparison[] } {
  const all = tables.flatMap(({ rows }) => rows.flatMap(({ values }) => values.filter(({ equal }) => !equal)))
  return { all, unexplained: all.filter(({ reason }) => reason === undefined) }
}
