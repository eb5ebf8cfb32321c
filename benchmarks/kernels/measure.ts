/** Checks one workload against `reference` and times it on `cpu`, or the device of IGCNET_BENCH_DEVICE. Checked in test/benchmarks/kernels.test.ts. */
import { record } from '../../src/device.ts'
import { native, type TypedArray } from '../../src/native.ts'
import type { DeviceName } from '../../src/tensor.ts'
import { type Timing, type TimingOptions, timeRepetitions } from '../../src/train/timing.ts'
import type { Peak } from './peak.ts'
import { type Made, Put, type Workload } from './workload.ts'

/** What is measured. */
export const DEVICE = process.env.IGCNET_BENCH_DEVICE || 'cpu'

/** One kernel on one shape. */
export interface KernelResult {
  op: string
  direction: string
  shape: string
  batch: number
  /** Milliseconds of one run: the median of the samples. */
  ms: number
  lowerQuartile: number
  upperQuartile: number
  /** 10^9 floating operations a second, and 10^9 bytes: all that is read and written, each once. */
  gflops: number
  gbps: number
  /** The larger of the two by the machine's peak: 1 is as fast as the machine can be. */
  shareOfPeak: number
}

/** Images of the comparison with `reference`, which is slow. */
const CHECKED_BATCH = 2
/** Errors are relative to the largest value, or to this one where all values are next to 0 by cancellation. */
const LEAST_SCALE = 0.05
const TOLERANCE = 1e-3

/** Measures a workload. @throws Error when the device computes something else than `reference` */
export async function measureKernel(workload: Workload, peak: Peak, options: TimingOptions): Promise<KernelResult> {
  const error = referenceError(workload)
  const { op, direction, shape, batch } = workload
  if (!(error <= TOLERANCE)) {
    throw new Error(`${op} ${direction} ${shape}: differs from reference by ${error} of the largest value`)
  }
  const put = new Put(DEVICE)
  try {
    const made = workload.make(put, batch)
    const outputs = made.run()
    const bytes = [...made.reads, ...(made.updates ?? []), ...outputs].reduce((sum, tensor) => sum + bytesOf(tensor), 0)
    for (const output of outputs) native.tensorDispose(output)
    const { median: ms, lowerQuartile, upperQuartile } = await timeRuns(made, options)
    const [gflops, gbps] = [workload.flops(batch) / ms / 1e6, bytes / ms / 1e6]
    const shareOfPeak = Math.max(gflops / peak.gflops, gbps / peak.gbps)
    return { op, direction, shape, batch, ms, lowerQuartile, upperQuartile, gflops, gbps, shareOfPeak }
  } finally {
    put.dispose()
    native.deviceTrim(DEVICE) // the next shape needs blocks of other sizes
  }
}

/** Runs in a recording. */
const RECORDED = 16

/** Times runs: on a GPU recorded ones, as those of a training step are, since a launch from here costs more than some kernels. */
async function timeRuns(
  made: Made,
  options: TimingOptions,
): Promise<Pick<Timing, 'median' | 'lowerQuartile' | 'upperQuartile'>> {
  const run = (count: number) => {
    for (let i = 0; i < count; i++) for (const output of made.run()) native.tensorDispose(output)
  }
  // Without a recording: the CPU, and work that may not be repeated.
  using recording = DEVICE === 'cpu' ? undefined : record(() => run(RECORDED), DEVICE as DeviceName).recording
  const { median, lowerQuartile, upperQuartile } = await timeRepetitions(count => {
    if (recording === undefined) run(count)
    else for (let i = 0; i < count; i++) recording.replay()
    native.deviceSynchronize(DEVICE)
  }, options)
  const runs = recording === undefined ? 1 : RECORDED
  return { median: median / runs, lowerQuartile: lowerQuartile / runs, upperQuartile: upperQuartile / runs }
}

function bytesOf(tensor: Parameters<typeof native.tensorInfo>[0]): number {
  const { shape } = native.tensorInfo(tensor)
  return 4 * shape.reduce((product, size) => product * size, 1)
}

/** Everything that the workload computes, read. */
function resultsOn(device: string, workload: Workload): TypedArray[] {
  const put = new Put(device)
  const made = workload.make(put, Math.min(workload.batch, CHECKED_BATCH))
  const outputs = made.run()
  const results = [...outputs, ...(made.updates ?? [])].map(tensor => native.tensorReadSync(tensor))
  for (const output of outputs) native.tensorDispose(output)
  put.dispose()
  return results
}

/** The largest difference between the device and `reference`; NaN where one computes none. */
export function referenceError(workload: Workload): number {
  const [actual, expected] = [resultsOn(DEVICE, workload), resultsOn('reference', workload)]
  const errors = expected.map((values, output) => {
    let [largest, difference] = [LEAST_SCALE, 0]
    for (let i = 0; i < values.length; i++) {
      const [a, b] = [actual[output]?.[i] ?? Number.NaN, values[i] as number]
      if (Number.isNaN(a - b)) return Number.NaN
      largest = Math.max(largest, Math.abs(b))
      difference = Math.max(difference, Math.abs(a - b))
    }
    return difference / largest
  })
  return errors.some(Number.isNaN) ? Number.NaN : Math.max(...errors)
}
