/**
 * Which inputs an output sees through a product of structured sparse kernels: group convolutions and permutations, of
 * which only the channels count here. The conditions under which the product is dense: IGCV1, one path from every input
 * to every output of an IGC block (Zhang et al. 2017, section 3); IGCV2, the complementary condition (Xie et al. 2018,
 * section 3). Swapped partitions keep every shape right and make the product sparse: this is what shows it.
 * Checked in test/theory/sparse-pattern.test.ts.
 */
import { pointwiseDepth } from '../models/igcv2.ts'
import { checkWhole } from './checks.ts'
import { reorderChannels } from './permutation.ts'

/** A factor of the product. */
export type SparseFactor =
  | {
      kind: 'convolution'
      inChannels: number
      outChannels: number
      /** Divides both; 1 is a dense factor, as many as channels a channel-wise one. */
      groups: number
    }
  | {
      /** Reorder(factor): out[q * factor + p] = in[p * (C / factor) + q]. The authors' operator, a ChannelShuffle. */
      kind: 'reorder'
      factor: number
    }

/** In the order in which the factors are applied; the first one is a convolution. */
export type Pattern = readonly SparseFactor[]

/** How many ways lead from each input to each output: [outChannels, inChannels], row by row. */
export interface Paths {
  outChannels: number
  inChannels: number
  counts: Float64Array
}

/** More entries than this are no network's. */
const MAX_ENTRIES = 2 ** 24

/**
 * Counts the paths of a pattern.
 * @throws RangeError for factors that do not fit together
 * @example
 * countPaths(igcPattern(3, 2)).counts // 36 ones
 */
export function countPaths(pattern: Pattern): Paths {
  const [first] = pattern
  if (first?.kind !== 'convolution') {
    throw new RangeError(`countPaths: expected a convolution as the first factor but received ${first?.kind}`)
  }
  const { inChannels } = first
  let sources = identityRows(inChannels)
  for (const factor of pattern) {
    sources = factor.kind === 'reorder' ? reorderChannels(sources, factor.factor) : mixed(sources, factor, inChannels)
  }
  const counts = new Float64Array(sources.length * inChannels)
  for (const [output, row] of sources.entries()) counts.set(row, output * inChannels)
  return { outChannels: sources.length, inChannels, counts }
}

function identityRows(channels: number): Float64Array[] {
  checkWhole('countPaths', { inChannels: channels })
  checkEntries(channels, channels)
  return Array.from({ length: channels }, (_, c) => {
    const row = new Float64Array(channels)
    row[c] = 1
    return row
  })
}

function checkEntries(outChannels: number, inChannels: number): void {
  if (outChannels * inChannels <= MAX_ENTRIES) return
  throw new RangeError(
    `countPaths: expected at most ${MAX_ENTRIES} pairs of an input and an output but received ${outChannels} x ${inChannels} channels`,
  )
}

type Convolution = Extract<SparseFactor, { kind: 'convolution' }>

function mixed(
  rows: readonly Float64Array[],
  { inChannels, outChannels, groups }: Convolution,
  sources: number,
): Float64Array[] {
  checkWhole('countPaths', { inChannels, outChannels, groups })
  checkEntries(outChannels, sources)
  if (inChannels !== rows.length) {
    throw new RangeError(`countPaths: expected a convolution of ${rows.length} channels but received ${inChannels}`)
  }
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new RangeError(
      `countPaths: expected channels divisible by ${groups} (groups) but received ${inChannels} in and ${outChannels} out`,
    )
  }
  const [insOfGroup, outsOfGroup] = [inChannels / groups, outChannels / groups]
  // The outputs of a group see the same: they share a row.
  const sums = Array.from({ length: groups }, (_, group) => {
    const sum = new Float64Array(sources)
    for (const row of rows.slice(group * insOfGroup, (group + 1) * insOfGroup)) {
      for (let c = 0; c < sources; c++) sum[c] = (sum[c] as number) + (row[c] as number)
    }
    return sum
  })
  return Array.from({ length: outChannels }, (_, out) => sums[Math.floor(out / outsOfGroup)] as Float64Array)
}

/** The share of the pairs of an input and an output that a path connects: 1 for a dense product. @throws RangeError */
export function density(pattern: Pattern): number {
  const { counts } = countPaths(pattern)
  return counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0) / counts.length
}

/** Whether every output sees every input. @throws RangeError */
export function isDense(pattern: Pattern): boolean {
  return countPaths(pattern).counts.every(count => count > 0)
}

/**
 * Whether exactly one path leads from every input to every output, the papers' strict complementary condition: a dense
 * product without a weight too many. @throws RangeError
 */
export function isComplementary(pattern: Pattern): boolean {
  return countPaths(pattern).counts.every(count => count === 1)
}

/**
 * The IGC block of L primary and M secondary partitions (Zhang et al. 2017, section 3): channels L M.
 * @throws RangeError
 */
export function igcPattern(L: number, M: number): Pattern {
  checkWhole('igcPattern', { L, M })
  const channels = L * M
  return [
    { kind: 'convolution', inChannels: channels, outChannels: channels, groups: L },
    { kind: 'reorder', factor: L },
    { kind: 'convolution', inChannels: channels, outChannels: channels, groups: M },
    { kind: 'reorder', factor: M },
  ]
}

/**
 * The IGCV2 block of the networks of Xie et al. 2018: a channel-wise spatial convolution, then ceil(log_K C) pointwise
 * ones with K channels a group, Reorder(C / K) between these.
 * @param channels C, divisible by K
 * @param groupWidth K, at least 2. Default: 8.
 * @throws RangeError
 */
export function igcv2Pattern(channels: number, groupWidth = 8): Pattern {
  const layers = pointwiseLayers(channels, groupWidth)
  const groups = channels / groupWidth
  if (!Number.isInteger(groups)) {
    throw new RangeError(`igcv2Pattern: expected channels divisible by ${groupWidth} (K) but received ${channels}`)
  }
  const pointwise = { kind: 'convolution', inChannels: channels, outChannels: channels, groups } as const
  const behind = Array.from({ length: layers - 1 }, () => [{ kind: 'reorder', factor: groups } as const, pointwise])
  const spatial = { kind: 'convolution', inChannels: channels, outChannels: channels, groups: channels } as const
  return [spatial, pointwise, ...behind.flat()]
}

/**
 * ceil(log_K C), at least 1: the least number of pointwise layers with K channels a group whose product can be dense.
 * @throws RangeError
 */
export function pointwiseLayers(channels: number, groupWidth: number): number {
  checkWhole('pointwiseLayers', { channels, groupWidth })
  if (groupWidth < 2) throw new RangeError(`pointwiseLayers: expected a K of 2 or more but received ${groupWidth}`)
  return pointwiseDepth(channels, groupWidth)
}
