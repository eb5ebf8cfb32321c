/**
 * `npm run bench`: the networks of the paper's comparison, each through `igcnet bench` in a process of its own, so that
 * its peak memory is its own. With `--grid` the partition study instead: every (L, M), and its time for a multiply-add by
 * that of L24M2. Checked in test/benchmarks/networks.test.ts.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BenchReport } from '../src/cli/bench.ts'
import { formatTable, withCommas } from '../src/cli/table.ts'
import { wholeNumber } from '../src/cli/values.ts'
import { defaultThreads } from '../src/device.ts'
import { benchmarkCommand, chosen, runScript, wordsOption } from './arguments.ts'
import { timeAMultiplyAdd } from './multiply-add.ts'
import { gridCases, type NetworkCase, networkCases } from './networks.ts'
import { origin, storeResults } from './results.ts'

interface Choice {
  grid?: boolean
  cases: string[]
  batchSize: number
  samples: number
  sampleMs: number
  threads?: number
  store?: boolean
  json?: boolean
}

const command = benchmarkCommand('bench', 'Training steps, inference and memory of the networks of the papers.')
  .option('--grid', "the members of the paper's partition study instead")
  .addOption(wordsOption('--cases <parts>', 'networks whose ids contain one of these, separated by commas'))
  .option('--batch-size <n>', 'images in a batch', wholeNumber('--batch-size', 1, 65_536), 64)
  .option('--samples <n>', 'samples, of which the median is taken', wholeNumber('--samples', 1, 100_000), 15)
  .option('--sample-ms <ms>', 'milliseconds that a sample lasts at least', wholeNumber('--sample-ms', 1, 600_000), 100)
  .option('--threads <n>', 'threads (default: IGCNET_THREADS, or all cores)', wholeNumber('--threads', 1, 1024))
  .option('--store', 'keep the results in benchmarks/results/')
  .option('--json', 'print the results as one JSON array on the last line instead of the table')
  .action(runNetworks)

async function runNetworks(choice: Choice): Promise<void> {
  const threads = choice.threads ?? defaultThreads()
  const cases = chosen('--cases', choice.grid ? gridCases : networkCases, choice.cases)
  const results = cases.map(network => {
    process.stderr.write(`bench: ${network.id}\n`)
    return { id: network.id, ...benchInChild(network, { ...choice, threads }) }
  })
  if (choice.store) {
    const from = origin(threads)
    const entries = results.map(({ machine: _, commit: __, ...result }) => ({ ...result, origin: from }))
    storeResults(choice.grid ? 'grid' : 'networks', entries)
  }
  process.stdout.write(choice.json ? `${JSON.stringify(results)}\n` : resultsText(results, choice.grid === true))
}

/** The report of `igcnet bench`. @throws Error when it fails */
function benchInChild(network: NetworkCase, { batchSize, samples, sampleMs, threads }: Choice & { threads: number }) {
  const options = {
    network: network.network,
    depth: network.depth,
    'primary-partition': network.primaryPartition,
    'secondary-partition': network.secondaryPartition,
    'batch-size': batchSize,
    samples,
    'sample-ms': sampleMs,
    threads,
  }
  const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  const tsx = pathToFileURL(file('../node_modules/tsx/dist/loader.mjs')).href
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const args = ['--import', tsx, file('../src/cli/main.ts'), 'bench', ...flags, '--json']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${network.id}: ${stderr.trim().split('\n').at(-1)}`)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as BenchReport
}

type Result = BenchReport & { id: string }

function resultsText(results: readonly Result[], grid: boolean): string {
  const [first] = results
  const yardstick = first && timeAMultiplyAdd(first)
  const rows = results.map(result => {
    const time = timeAMultiplyAdd(result)
    return [
      result.id,
      withCommas(Math.round(result.trainImagesPerSecond)),
      withCommas(Math.round(result.inferImagesPerSecond)),
      result.batch1LatencyMs.toPrecision(3),
      withCommas(Math.round(result.peakRssBytes / 2 ** 20)),
      ...(grid && yardstick ? [time.toPrecision(3), (time / yardstick).toFixed(2)] : []),
    ]
  })
  const head = ['network', 'train images/s', 'infer images/s', 'one image ms', 'peak MiB']
  if (grid) head.push('ns a multiply-add', `by ${first?.id}`)
  return formatTable(
    head,
    rows,
    head.map((_, i) => i > 0),
  )
}

await runScript(command)
