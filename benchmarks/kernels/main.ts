/**
 * `npm run bench:kernels`: every op and direction of `cpu` (or the device of IGCNET_BENCH_DEVICE), checked against `reference` and timed, beside the machine's
 * peak. Checked in test/benchmarks/kernels.test.ts.
 */
import { formatTable } from '../../src/cli/table.ts'
import { wholeNumber } from '../../src/cli/values.ts'
import { defaultThreads, setThreads } from '../../src/device.ts'
import { benchmarkCommand, chosen, runScript, wordsOption } from '../arguments.ts'
import { origin, storeResults } from '../results.ts'
import { idOf, workloads } from './all.ts'
import { DEVICE, type KernelResult, measureKernel } from './measure.ts'
import { measureGpuPeak, measurePeak, type Peak, parsePeak } from './peak.ts'

/** What is kept for the page: the layers of L24M2 and W16, and the blocks of IGC-L100M2. */
const STORED = [
  /^igcBlock\/\w+\/networks\/l24m2-stage-\d(-first)?$/,
  /^igcBlock\/(forward|backward)\/networks\/imagenet-/,
  /^conv2d\/\w+\/networks\/(w16-|stem-48$)/,
  /^(batchNorm2d|addRelu)\/\w+\/networks\/(L24M2|W16)-/,
]

interface Choice {
  cases: string[]
  samples: number
  sampleMs: number
  threads?: number
  peak?: Peak
  store?: boolean
  json?: boolean
}

const command = benchmarkCommand('bench:kernels', 'Every op and direction over the shapes of networks and tests.')
  .addOption(
    wordsOption(
      '--cases <parts>',
      'kernels whose ids, such as igcBlock/forward/networks/l24m2-stage-0, contain one of these, separated by commas',
    ),
  )
  .option('--samples <n>', 'samples, of which the median is taken', wholeNumber('--samples', 1, 100_000), 15)
  .option('--sample-ms <ms>', 'milliseconds that a sample lasts at least', wholeNumber('--sample-ms', 1, 60_000), 5)
  .option('--threads <n>', 'threads (default: IGCNET_THREADS, or all cores)', wholeNumber('--threads', 1, 1024))
  .option('--peak <GFLOP/s,GB/s>', 'the peak, where it is known; else it is measured', parsePeak)
  .option('--store', 'keep those of the layers of L24M2, W16 and IGC-L100M2 in benchmarks/results/kernels.json')
  .option('--json', 'print one JSON array on the last line instead of the table')
  .action(runKernels)

async function runKernels(choice: Choice): Promise<void> {
  const { samples, sampleMs, json, threads = defaultThreads() } = choice
  const found = chosen('--cases', workloads, choice.cases)
  setThreads(threads)
  process.stderr.write('bench:kernels: the peak of the machine\n')
  const peak = choice.peak ?? (DEVICE === 'cpu' ? measurePeak(threads) : measureGpuPeak(DEVICE))
  process.stderr.write(
    `bench:kernels: ${found.length} kernels, ${threads} threads, peak ${peak.gflops} GFLOP/s and ${peak.gbps} GB/s\n`,
  )
  const results: KernelResult[] = []
  for (const workload of found) results.push(await measureKernel(workload, peak, { samples, sampleMs }))
  if (choice.store) {
    const from = origin(threads, { 'peak GFLOP/s': String(peak.gflops), 'peak GB/s': String(peak.gbps) })
    const kept = results.filter(result => STORED.some(pattern => pattern.test(idOf(result))))
    storeResults(
      'kernels',
      kept.map(result => ({ id: idOf(result), ...result, origin: from })),
    )
  }
  process.stdout.write(json ? `${JSON.stringify(results)}\n` : resultsText(results))
}

function resultsText(results: readonly KernelResult[]): string {
  const rows = results.map(({ op, direction, shape, batch, ms, gflops, gbps, shareOfPeak }) => [
    op,
    direction,
    shape,
    String(batch),
    ms.toPrecision(4),
    gflops.toFixed(1),
    gbps.toFixed(1),
    `${(100 * shareOfPeak).toFixed(0)} %`,
  ])
  const head = ['op', 'direction', 'shape', 'batch', 'ms', 'GFLOP/s', 'GB/s', 'of peak']
  return formatTable(head, rows, [false, false, false, true, true, true, true, true])
}

await runScript(command)
