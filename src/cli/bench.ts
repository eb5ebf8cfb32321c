/**
 * `igcnet bench`: the speed of a network on this machine, in training steps and in inference, on synthetic images.
 * Checked in test/cli/bench.test.ts.
 */
import type { Command } from 'commander'
import { networkTitle } from '../models/table.ts'
import type { BenchmarkResult } from '../train/benchmark.ts'
import type { TrainConfig } from '../train/index.ts'
import { type ConfigSizes, SIZE_KEYS, toModelSizes } from '../train/network-sizes.ts'
import type { Timing } from '../train/timing.ts'
import { checkedUsage } from './failure.ts'
import { addDeviceOptions, deviceFor } from './machine-options.ts'
import type { MachineRecord } from './machine-record.ts'
import type { DeviceChoice } from './names.ts'
import { addNetworkOptions, checkNetworkOptions, type NetworkChoice, warnOf } from './network-options.ts'
import { formatTable, withCommas } from './table.ts'
import type { Terminal } from './terminal.ts'
import { wholeNumber } from './values.ts'

interface BenchChoice extends NetworkChoice {
  batchSize?: number
  samples: number
  sampleMs: number
  device?: DeviceChoice
  threads?: number
  json?: boolean
}

/** What is measured, as the JSON object names it. */
type BenchedNetwork = ConfigSizes &
  Pick<TrainConfig, 'network' | 'consistent' | 'numClasses' | 'batchSize' | 'device' | 'threads'>

/** What `bench --json` prints. */
export type BenchReport = BenchedNetwork &
  BenchmarkResult & { samples: number; machine: MachineRecord; commit: string | null }

/** Adds the command to the program. */
export function addBench(program: Command, terminal: Terminal): void {
  const command = program
    .command('bench')
    .description('Measure training steps, inference and memory of a network for 32x32 images on this machine.')
  addNetworkOptions(command, '10')
  command
    .optionsGroup('Measurement:')
    .option('--batch-size <n>', 'images in a batch (default: 64)', wholeNumber('--batch-size', 1, 65_536))
    .option('--samples <n>', 'samples, of which the median is taken', wholeNumber('--samples', 1, 100_000), 15)
    .option(
      '--sample-ms <ms>',
      'milliseconds that a sample lasts at least, unless one step or batch lasts longer',
      wholeNumber('--sample-ms', 1, 600_000),
      100,
    )
  addDeviceOptions(command)
  command
    .optionsGroup('Output:')
    .option('--json', 'print one JSON object on the last line of standard output instead of the table')
    .action((choice: BenchChoice) => runBench(choice, terminal))
}

async function runBench(choice: BenchChoice, terminal: Terminal): Promise<void> {
  const { samples, sampleMs, json, device: deviceChoice, ...given } = choice
  const device = deviceChoice && (await deviceFor(deviceChoice, terminal.err))
  const { benchmark } = await import('../train/benchmark.ts')
  const { withDefaults } = await import('../train/index.ts')
  checkNetworkOptions(given)
  const config = checkedUsage(() => withDefaults({ ...given, ...(device && { device }), dataset: 'cifar10' }))
  warnOf(config.network, given, terminal)
  const { currentCommit, machineRecord } = await import('./machine-record.ts')
  const onPart = (part: string) => terminal.err(`bench: ${part}\n`)
  const result = await benchmark(config, { samples, sampleMs, onPart })
  const report = {
    ...benchedNetwork(config),
    ...result,
    samples,
    machine: machineRecord(config.device),
    commit: currentCommit(),
  } satisfies BenchReport
  terminal.out(json ? `${JSON.stringify(report)}\n` : reportText(report))
}

function benchedNetwork(config: TrainConfig): BenchedNetwork {
  const { network, consistent, numClasses, batchSize, device, threads } = config
  const sizes = Object.fromEntries(SIZE_KEYS.map(key => [key, config[key]]))
  return { network, ...sizes, consistent, numClasses, batchSize, device, threads }
}

function reportText(report: BenchReport): string {
  const { batchSize, device, threads, machine, train, infer, batch1 } = report
  const rows = [
    timingRow(`training step, batch ${batchSize}`, train, batchSize),
    timingRow(`inference, batch ${batchSize}`, infer, batchSize),
    timingRow('inference, one image', batch1, 1),
  ]
  const head = ['', 'median ms', 'quartiles ms', 'images/s']
  return (
    `${networkTitle(report.network, toModelSizes(report))} on ${device} (${threads} threads, ${machine.simd}): ` +
    `${withCommas(report.parameters)} parameters, ${withCommas(report.multiplyAdds)} multiply-adds an image\n` +
    `as reference computes it, within ${report.referenceError.toExponential(1)}\n\n` +
    `${formatTable(head, rows, [false, true, true, true])}\n` +
    `peak memory of training ${withCommas(Math.round(report.peakRssBytes / 2 ** 20))} MiB; ${report.samples} samples\n`
  )
}

function timingRow(name: string, { median, lowerQuartile, upperQuartile }: Timing, images: number): string[] {
  const digits = (ms: number) => ms.toPrecision(4)
  const range = `${digits(lowerQuartile)} to ${digits(upperQuartile)}`
  return [name, digits(median), range, withCommas(Math.round((1000 * images) / median))]
}
