/**
 * Times something that is repeated: warm-up, then samples of several repetitions each, of which the median and the
 * quartiles are kept. Checked in test/unit/timing.test.ts.
 */

/** Milliseconds a repetition, over all samples. */
export interface Timing {
  median: number
  lowerQuartile: number
  upperQuartile: number
  least: number
  /** Samples, and repetitions in each. */
  samples: number
  repetitions: number
}

export interface TimingOptions {
  /** How often is measured. Default: 15. */
  samples?: number | undefined
  /** Milliseconds that a sample lasts at least, unless one repetition lasts longer. Default: 100. */
  sampleMs?: number | undefined
}

/** Repeats its work `count` times and waits for the end of it. */
export type Repeat = (count: number) => unknown

/**
 * Measures. Two repetitions at least, and as many as fit into one sample's time, warm up before.
 * @example
 * const { median } = await timeRepetitions(async count => { for (let i = 0; i < count; i++) await step() })
 */
export async function timeRepetitions(repeat: Repeat, options: TimingOptions = {}): Promise<Timing> {
  const { samples = 15, sampleMs = 100 } = options
  const repetitions = await warmUp(repeat, sampleMs)
  const times: number[] = []
  for (let i = 0; i < samples; i++) times.push((await elapsed(repeat, repetitions)) / repetitions)
  return { ...spread(times), repetitions }
}

/** Warms up; gives the repetitions that fill `sampleMs`. */
export async function warmUp(repeat: Repeat, sampleMs: number): Promise<number> {
  await elapsed(repeat, 1) // the first one allocates, and makes oneDNN's primitives
  let count = 1
  let total = 0
  for (;;) {
    const time = await elapsed(repeat, count)
    total += time
    if (total >= sampleMs) return Math.max(1, Math.ceil((sampleMs * count) / time))
    count *= 2
  }
}

/** Milliseconds of `count` repetitions. */
export async function elapsed(repeat: Repeat, count: number): Promise<number> {
  const start = performance.now()
  await repeat(count)
  return performance.now() - start
}

/** Median and quartiles of one number or more, by linear interpolation. */
export function spread(times: readonly number[]): Omit<Timing, 'repetitions'> {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number) => {
    const position = share * (sorted.length - 1)
    const [low, high] = [Math.floor(position), Math.ceil(position)].map(i => sorted[i] as number) as [number, number]
    return low + (high - low) * (position - Math.floor(position))
  }
  return { median: at(0.5), lowerQuartile: at(0.25), upperQuartile: at(0.75), least: at(0), samples: sorted.length }
}
