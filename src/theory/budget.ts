/**
 * How many weights a block costs, and what a number of weights buys (Zhang et al. 2017, section 3; Xie et al. 2018,
 * section 3). Checked in test/theory/budget.test.ts.
 */
import { checkNumber, checkWhole } from './checks.ts'

/** Weights of a 3x3 window, the papers' S. */
const SPATIAL = 9

/**
 * Weights of an IGC block without batch norm, T = L M² S + M L² (Zhang et al. 2017, section 3), whose width is L M.
 * @param L primary partitions
 * @param M secondary partitions
 * @param S positions of the primary window. Default: 9.
 * @throws RangeError for a value that is no whole number of 1 or more
 * @example
 * igcParameters(24, 2) // 2016
 */
export function igcParameters(L: number, M: number, S = SPATIAL): number {
  checkWhole('igcParameters', { L, M, S })
  return L * M ** 2 * S + M * L ** 2
}

/** Real numbers, not rounded: no shape with whole partitions is wider. */
export interface Widest {
  /** The upper bound of L M. */
  width: number
  /** Where it is reached: L = M S. */
  primaryPartitions: number
  secondaryPartitions: number
}

/**
 * The widest IGC block of a budget: L M <= (T / (2 sqrt(S)))^(2/3), equal at L = M S (Zhang et al. 2017, section 3).
 * @param budget T: weights of the block
 * @param S positions of the primary window. Default: 9.
 * @throws RangeError for a budget that is no finite number above 0, an S that is no whole number of 1 or more
 */
export function widestFor(budget: number, S = SPATIAL): Widest {
  checkNumber('widestFor', { budget })
  checkWhole('widestFor', { S })
  const width = (budget / (2 * Math.sqrt(S))) ** (2 / 3)
  return { width, primaryPartitions: Math.sqrt(width * S), secondaryPartitions: Math.sqrt(width / S) }
}

/** A member of a matched grid. */
export interface Partitions {
  /** L */
  primaryPartitions: number
  /** M */
  secondaryPartitions: number
  /** L M */
  width: number
  /** T */
  parameters: number
}

/** How the partitions of a budget are looked for. */
export interface PartitionsOptions {
  /** Positions of the primary window. Default: 9. */
  S?: number
  /**
   * How far, as a share of the budget, the weights may be off. Default: 0.0295. The papers name no rule; theirs has
   * members up to 2.91 % off, and leaves out L4 M11, which is 3.00 % off.
   */
  tolerance?: number
}

/** The rule that gives the grid of the paper. */
const TOLERANCE = 0.0295

/**
 * The shapes of an IGC block that cost about the same: for every M the L that comes nearest to the budget, where it is
 * within the tolerance; the largest L first. `partitionsFor(4672)` is the grid of the partition study (Zhang et al. 2017,
 * section 4).
 * @param budget T: weights of the block, at most 1e12
 * @throws RangeError
 */
export function partitionsFor(budget: number, options: PartitionsOptions = {}): Partitions[] {
  const { S = SPATIAL, tolerance = TOLERANCE } = options
  checkNumber('partitionsFor', { budget }, 1e12)
  checkWhole('partitionsFor', { S })
  if (!(tolerance >= 0 && tolerance < 1)) {
    throw new RangeError(`partitionsFor: expected a tolerance from 0 to below 1 but received ${tolerance}`)
  }
  const grid: Partitions[] = []
  for (let M = 1; M ** 2 * S + M <= budget * (1 + tolerance); M++) {
    const L = nearestPrimary(budget, M, S)
    const parameters = igcParameters(L, M, S)
    if (Math.abs(parameters - budget) > tolerance * budget) continue
    grid.push({ primaryPartitions: L, secondaryPartitions: M, width: L * M, parameters })
  }
  return grid
}

/** The whole L of 1 or more for which L M² S + M L² is nearest to the budget: one of the two beside the root. */
function nearestPrimary(budget: number, M: number, S: number): number {
  const half = (M * S) / 2
  const below = Math.max(1, Math.floor(Math.sqrt(half ** 2 + budget / M) - half))
  const off = (L: number) => Math.abs(igcParameters(L, M, S) - budget)
  return off(below + 1) < off(below) ? below + 1 : below
}

/**
 * Weights of an IGCV2 block, C (S K_1 + K_2 + … + K_L) (Xie et al. 2018, section 3).
 * @param channels C
 * @param widths channels a group, K_1 of the spatial convolution first; K_1 is 1 in the networks of the paper
 * @param S positions of the spatial window. Default: 9.
 * @throws RangeError
 * @example
 * igcv2Parameters(64, [1, 8, 8]) // 1600
 */
export function igcv2Parameters(channels: number, widths: readonly number[], S = SPATIAL): number {
  checkWhole('igcv2Parameters', { channels, S })
  for (const [i, width] of widths.entries()) checkWhole('igcv2Parameters', { [`widths[${i}]`]: width })
  return widths.reduce((sum, width, i) => sum + channels * width * (i === 0 ? S : 1), 0)
}
