/**
 * One case, measured: every contestant computes it once and the results are compared; then rounds, in each of which
 * every contestant has one window of time, in turn. Checked in test/benchmarks/rivals.test.ts.
 */
import { relativeError } from '../../src/train/benchmark.ts'
import { spread, type Timing } from '../../src/train/timing.ts'
import type { ContestantName, NetworkRivalCase, RivalCase } from './cases.ts'
import type { Contestant } from './contestant.ts'

/** Milliseconds of one repetition for each contestant, and how many times as long as ours each took. */
export interface CaseResult {
  id: string
  kind: RivalCase['kind']
  /** Repetitions of one contestant are of this many images. */
  images: number
  timings: Partial<Record<ContestantName, Timing>>
  /** Medians, divided by ours. */
  ratios: Partial<Record<ContestantName, number>>
  /** The largest difference of a contestant's results from ours, relative to the largest value. */
  resultError: number
}

/** Peak resident bytes of a process, and those before the network was made. */
export interface MemoryResult {
  id: string
  kind: 'memory'
  peaks: Partial<Record<ContestantName, { peak: number; baseline: number }>>
  ratios: Partial<Record<ContestantName, number>>
}

export interface ContestOptions {
  rounds: number
  /** Milliseconds that a window lasts about. */
  windowMs: number
}

/** Results that differ by more than this are those of another problem. */
const TOLERANCE = (process.env.IGCNET_BENCH_PRECISION || 'f32') === 'f32' ? 2e-3 : 0.1

/** Measures a case. @throws Error when a contestant fails, or computes something else */
export async function contest(
  rivalCase: RivalCase,
  contestants: readonly Contestant[],
  { rounds, windowMs }: ContestOptions,
): Promise<CaseResult> {
  const results = new Map<Contestant, Record<string, number[]>>()
  for (const contestant of contestants) {
    results.set(contestant, (await contestant.ask({ command: 'prepare', case: rivalCase })).results ?? {})
  }
  const resultError = compareResults(contestants, results)
  const counts = new Map<Contestant, number>()
  for (const contestant of contestants) counts.set(contestant, await calibrate(contestant, windowMs))
  const times = new Map<Contestant, number[]>(contestants.map(contestant => [contestant, []]))
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) {
      const count = counts.get(contestant) ?? 1
      await window(contestant, 1) // awake, and its data in the caches again
      times.get(contestant)?.push((await window(contestant, count)) / count)
    }
  }
  const timings = Object.fromEntries(
    contestants.map(contestant => {
      const repetitions = counts.get(contestant) ?? 1
      return [contestant.name, { ...spread(times.get(contestant) ?? []), repetitions }]
    }),
  )
  const medians = Object.fromEntries(Object.entries(timings).map(([name, { median }]) => [name, median]))
  const images = 'block' in rivalCase ? rivalCase.block.N : rivalCase.batchSize
  return { id: rivalCase.id, kind: rivalCase.kind, images, timings, ratios: ratiosTo(medians), resultError }
}

async function window(contestant: Contestant, count: number): Promise<number> {
  return (await contestant.ask({ command: 'window', count })).ms ?? Number.NaN
}

/** Warms up; the repetitions that fill a window. */
async function calibrate(contestant: Contestant, windowMs: number): Promise<number> {
  await window(contestant, 2)
  let count = 1
  for (;;) {
    const ms = await window(contestant, count)
    if (ms >= windowMs / 4) return Math.max(1, Math.round((windowMs * count) / ms))
    count *= 2
  }
}

/** The largest relative error against the first contestant. @throws Error when it is no rounding error */
function compareResults(
  contestants: readonly Contestant[],
  results: ReadonlyMap<Contestant, Record<string, number[]>>,
): number {
  const [first, ...others] = contestants
  const expected = (first && results.get(first)) ?? {}
  let worst = 0
  for (const other of others) {
    for (const [name, values] of Object.entries(expected)) {
      const actual = results.get(other)?.[name] ?? []
      const error = actual.length === values.length ? relativeError(actual, values) : Number.NaN
      if (!(error <= TOLERANCE)) {
        const begins = (numbers: number[]) => numbers.slice(0, 3).join(', ')
        throw new Error(
          `${other.name}: expected ${name} as ${first?.name} computes it, ${begins(values)}, …, but received ` +
            `${begins(actual)}, … (relative error ${error})`,
        )
      }
      worst = Math.max(worst, error)
    }
  }
  return worst
}

/** Steps after which the memory of a training process no longer grows. */
const MEMORY_STEPS = 5

/** The peak memory of each contestant, in a process that does nothing else. */
export async function contestMemory(
  rivalCase: NetworkRivalCase,
  start: (name: ContestantName) => Contestant,
  names: readonly ContestantName[],
): Promise<MemoryResult> {
  const peaks: MemoryResult['peaks'] = {}
  for (const name of names) {
    const contestant = start(name)
    try {
      await contestant.ask({ command: 'prepare', case: rivalCase })
      await window(contestant, MEMORY_STEPS)
      const { peak = Number.NaN, baseline = Number.NaN } = await contestant.ask({ command: 'memory' })
      peaks[name] = { peak, baseline }
    } finally {
      contestant.close()
    }
  }
  const bytes = Object.fromEntries(Object.entries(peaks).map(([name, { peak }]) => [name, peak]))
  return { id: rivalCase.id, kind: 'memory', peaks, ratios: ratiosTo(bytes) }
}

/** Everyone's number by ours; nothing when ours is missing. */
function ratiosTo(numbers: Partial<Record<ContestantName, number>>): Partial<Record<ContestantName, number>> {
  const { ours } = numbers
  if (ours === undefined) return {}
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, value / ours]))
}
