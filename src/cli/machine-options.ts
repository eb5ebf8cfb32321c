/** The options that choose data set, device and output, shared by commands. Checked in test/cli/usage.test.ts. */
import type { Command } from 'commander'
import { DeviceError } from '../errors.ts'
import type { DeviceChoice, DeviceName } from '../tensor.ts'
import type { TrainConfig } from '../train/index.ts'
import { UsageError } from './failure.ts'
import { DATASETS, DEVICES } from './names.ts'
import { oneOf, path, wholeNumber } from './values.ts'

/** What the options of this file become; names as in TrainConfig, undefined where not given. */
export interface DataChoice {
  dataset?: (typeof DATASETS)[number]
  dataDir?: string
  trainExamples?: number
  testExamples?: number
  download?: boolean
}

/** The defaults that help shows, where they are not those of a new run. */
interface DefaultTexts {
  dataset: string
  dataDir?: string
  examples?: string
  download?: string
}

/** Adds --dataset, --data-dir, --train-examples, --test-examples and --download. */
export function addDataOptions(
  command: Command,
  { dataset, dataDir = 'data', examples = 'all', download = 'off' }: DefaultTexts,
): void {
  command
    .optionsGroup('Data:')
    .option('--dataset <name>', `${DATASETS.join(', ')} (default: ${dataset})`, oneOf('dataset', DATASETS))
    .option(
      '--data-dir <dir>',
      `folder of the CIFAR files, or its parent; of folder: that of train/<class> and test/<class> (default: ${dataDir})`,
      path('--data-dir'),
    )
    .option(
      '--train-examples <n>',
      `the first N training images only (default: ${examples})`,
      wholeNumber('--train-examples', 1),
    )
    .option(
      '--test-examples <n>',
      `the first N test images only (default: ${examples})`,
      wholeNumber('--test-examples', 1),
    )
    .option('--download', `download a missing CIFAR set from its official address (default: ${download})`)
}

/** Refuses options of files where there are none. @throws UsageError */
export function checkFileOptions({ dataDir, download }: Partial<TrainConfig>, dataset: string): void {
  if (dataset === 'folder' && download)
    throw new UsageError('--download: expected --dataset cifar10 or cifar100 with it')
  if (dataset !== 'digits') return
  const given = dataDir === undefined ? download && '--download' : '--data-dir'
  if (!given) return
  const sets = given === '--download' ? 'cifar10 or cifar100' : 'cifar10, cifar100 or folder'
  throw new UsageError(`${given}: expected --dataset ${sets} with it; the digits come with igcnet`)
}

/** Adds --device and --threads; help shows these defaults. */
export function addDeviceOptions(command: Command, device = 'cpu', threads = 'IGCNET_THREADS, or all cores'): void {
  command
    .optionsGroup('Device:')
    .option('--device <name>', `${DEVICES.join(', ')}, cuda:1, … (default: ${device})`, deviceName)
    .option(
      '--threads <n>',
      `threads; one number always gives the same bits (default: ${threads})`,
      wholeNumber('--threads', 1, 1024),
    )
}

/** A value of --device. */
function deviceName(value: string): DeviceChoice {
  return isCudaOrdinal(value) ? value : oneOf('device', DEVICES, { gpu: 'cuda', nvidia: 'cuda' })(value)
}

function isCudaOrdinal(value: string): value is `cuda:${number}` {
  return /^cuda:\d{1,3}$/.test(value)
}

/**
 * The device of the library for a choice on the command line. `auto` says once, through `note`, why it is the CPU.
 * @throws DeviceError for a cuda device that cannot be had
 */
export async function deviceFor(choice: DeviceChoice, note: (text: string) => void): Promise<DeviceName> {
  if (choice === 'cpu' || choice === 'reference') return choice
  const { cuda } = await import('../device.ts')
  const { works, text } = cuda(choice === 'auto' ? 0 : Number(choice.split(':')[1] ?? 0))
  if (works) return choice === 'auto' || choice === 'cuda:0' ? 'cuda' : choice
  if (choice !== 'auto') throw new DeviceError(`device ${choice} is not available: ${text}`)
  note(`igcnet: running on the CPU: ${text}\n`)
  return 'cpu'
}
