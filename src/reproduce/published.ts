/**
 * The numbers of the papers and of the authors' published graphs, with their sources: data/published.json, the one place
 * where they stand. What is computed is held against them by counts.ts; test/reproduce/counts.test.ts checks all of it.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { NetworkName } from '../models/index.ts'
import type { NetworkSizes } from '../models/options.ts'

const FILE = new URL('../../data/published.json', import.meta.url)

/** What is counted, in the order of the columns. */
export const QUANTITIES = {
  convParameters: 'convolutions',
  bnParameters: 'batch norm',
  linearParameters: 'linear',
  parameters: 'parameters',
  withoutBn: 'without batch norm',
  megaParameters: 'M parameters',
  paperMegaParameters: 'M without batch norm',
  readMegaParameters: 'M as read',
  megaMacs: 'M multiply-adds',
  gigaMacs: 'G multiply-adds',
  paperGigaMacs: 'G in the paper',
  readGigaMacs: 'G without projections',
  primaryPartitions: 'L',
  pointwiseLayers: 'pointwise layers',
  density: 'density',
} as const

/** A name of a quantity. */
export type Quantity = keyof typeof QUANTITIES

/** What a row is about: a network, or one block of IGCV1 or IGCV2. */
export type Subject =
  | { network: NetworkName; sizes: Partial<NetworkSizes>; classes: number }
  | { igcv2Block: { channels: number; groupChannels: number } }
  | { partitions: { budget: number; secondaryPartitions: number } }

/** A row of a table: whole numbers as such, rounded ones as text with the digits that were published. */
export type PublishedRow = Subject & {
  label: string
  published: Partial<Record<Quantity, number | string>>
  /** Names of the table's notes that say why a number differs. */
  reasons?: Partial<Record<Quantity, string>>
}

export interface PublishedTable {
  id: string
  title: string
  /** Names in `sources`. */
  sources: string[]
  /** How the numbers come from the sources. */
  origin: string
  notes?: Record<string, string>
  rows: PublishedRow[]
}

export interface Published {
  sources: Record<string, string>
  tables: PublishedTable[]
}

/** Reads the file. */
export function readPublished(): Published {
  return JSON.parse(readFileSync(fileURLToPath(FILE), 'utf8')) as Published
}
