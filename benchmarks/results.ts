/**
 * Stored results: benchmarks/results/<benchmark>.json, a list of entries, each with the machine, the commit and the day of
 * its measurement. Checked in test/benchmarks/docs.test.ts.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { currentCommit, type MachineRecord, machineRecord } from '../src/cli/machine-record.ts'

/** Where an entry comes from. */
export interface Origin {
  machine: MachineRecord
  /** Versions of the other libraries, by name. */
  versions: Record<string, string>
  commit: string | null
  /** Day of the measurement, as 2026-01-31. */
  date: string
  threads: number
}

/** An entry of a results file. */
export type Stored<T> = T & { id: string; origin: Origin }

export type BenchmarkName = 'networks' | 'grid' | 'kernels' | 'rivals' | 'ladder'

export function origin(threads: number, versions: Record<string, string> = {}): Origin {
  const date = new Date().toISOString().slice(0, '2026-01-31'.length)
  return { machine: machineRecord(), versions, commit: currentCommit(), date, threads }
}

const pathOf = (name: BenchmarkName) => fileURLToPath(new URL(`results/${name}.json`, import.meta.url))

/** What a file holds: each origin once, with the entries that point to it. */
interface ResultsFile {
  origins: Origin[]
  entries: (Record<string, unknown> & { id: string; origin: number })[]
}

/** The stored entries of a benchmark; none where nothing was stored. */
export function readResults<T>(name: BenchmarkName): Stored<T>[] {
  let text: string
  try {
    text = readFileSync(pathOf(name), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const { origins, entries } = JSON.parse(text) as ResultsFile
  return entries.map(entry => ({ ...entry, origin: origins[entry.origin] }) as unknown as Stored<T>)
}

/** Stores entries in place of those with the same id; the others stay, in the order in which they were. */
export function storeResults<T>(name: BenchmarkName, entries: readonly Stored<T>[]): void {
  const merged = new Map(readResults<T>(name).map(entry => [entry.id, entry]))
  for (const entry of entries) merged.set(entry.id, entry)
  mkdirSync(fileURLToPath(new URL('results', import.meta.url)), { recursive: true })
  writeFileSync(pathOf(name), formatResults([...merged.values()]))
}

/** The text of a results file: one line for each origin and each entry. */
export function formatResults(entries: readonly Stored<unknown>[]): string {
  const origins = [...new Set(entries.map(entry => JSON.stringify(entry.origin)))]
  const lines = entries.map(entry => {
    const { id, origin: from, ...rest } = entry as Stored<Record<string, unknown>>
    return JSON.stringify({ id, ...rounded(rest), origin: origins.indexOf(JSON.stringify(from)) })
  })
  const list = (items: readonly string[]) => items.map(item => `\n    ${item}`).join(',')
  return `{\n  "origins": [${list(origins)}\n  ],\n  "entries": [${list(lines)}\n  ]\n}\n`
}

/** Five digits: no measurement has more. Whole numbers stay. */
function rounded(value: unknown): object {
  const text = JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'number' && !Number.isInteger(part) ? Number(part.toPrecision(5)) : part,
  )
  return JSON.parse(text) as object
}
