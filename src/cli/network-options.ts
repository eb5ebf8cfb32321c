/** The options that choose a network, shared by `train`, `summary` and `bench`. Checked in test/cli/usage.test.ts. */
import { type Command, Option } from 'commander'
import type { NetworkName } from '../models/index.ts'
import { entryOf, networkNames, warningOf } from '../models/table.ts'
import { type ConfigSizes, SIZE_KEYS, takesSize, toModelSizes } from '../train/network-sizes.ts'
import { UsageError } from './failure.ts'
import type { Terminal } from './terminal.ts'
import { oneOf, realNumber, wholeNumber } from './values.ts'

/** What the options of `addNetworkOptions` become; names as in TrainConfig, undefined where not given. */
export interface NetworkChoice extends ConfigSizes {
  network?: NetworkName
  numClasses?: number
  consistent?: boolean
}

/** Adds --network, the sizes of networks, and --num-classes; help ends with the list of networks. */
export function addNetworkOptions(command: Command, classesDefault: string): void {
  command
    .optionsGroup('Network:')
    .option('--network <name>', 'one of those listed below (default: plain_igc)', oneOf('network', networkNames))
  addPaperSizes(command)
  addOtherSizes(command)
  command
    .option(
      '--num-classes <n>',
      `outputs of the network (default: ${classesDefault})`,
      wholeNumber('--num-classes', 1, 1_000_000),
    )
    .addOption(
      new Option(
        '--consistent',
        "resnet_igc without the authors' odd secondary groups where the width changes (default: off)",
      ),
    )
    .addHelpText('after', `\n${networkList()}`)
}

/** The options of the authors' scripts. */
function addPaperSizes(command: Command): void {
  command
    .option(
      '--depth <n>',
      'weighted layers: 3B + 2 for plain networks, 6n + 2 for residual ones (default: 20; ImageNet networks: 18 only)',
      wholeNumber('--depth', 1, 10_000),
    )
    .option(
      '--primary-partition <L>',
      'groups of the primary convolutions; regular networks are L*M channels wide (default: 24 in plain_igc)',
      wholeNumber('--primary-partition', 1, 65_536),
    )
    .option(
      '--secondary-partition <M>',
      'groups of the secondary convolutions in stage 1; doubles with the width (default: 2 in plain_igc)',
      wholeNumber('--secondary-partition', 1, 65_536),
    )
    .option(
      '--multiplier <f>',
      'multiplies all widths of igcv2_mobilenet and igcv3_d, whose last 1280 stay below 1 (default: 1)',
      realNumber('--multiplier', { least: 0.01, most: 64 }),
    )
}

function addOtherSizes(command: Command): void {
  command
    .option(
      '--width <n>',
      'channels of stage 1, of networks without L and M (default: 36 in xception, 64 in igcv2)',
      wholeNumber('--width', 1, 65_536),
    )
    .option(
      '--group-channels <K>',
      'igcv2, resnet_igcv2, igcv2_mobilenet: channels in a group of the pointwise convolutions (default: 8)',
      wholeNumber('--group-channels', 1, 65_536),
    )
    .option(
      '--growth <partition>',
      'resnet_igc_imgnet_d18: which of L and M doubles with the width (default: L)',
      oneOf('growth', ['L', 'M']),
    )
    .option(
      '--permutations <n>',
      'igcv3_d: permutations in a block, 1 or 2 (default: 1)',
      wholeNumber('--permutations', 1, 2),
    )
    .option(
      '--frame <name>',
      'ImageNet networks laid out for 224x224 (imagenet) or 32x32 images (cifar) (default: that of the images)',
      oneOf('frame', ['imagenet', 'cifar']),
    )
    .option(
      '--dropout <p>',
      'igcv2_mobilenet, igcv3_d: share of the last features that falls at a training step (default: 0)',
      realNumber('--dropout', { least: 0, most: 0.99 }),
    )
}

/** Every network in one line. */
function networkList(): string {
  const longest = Math.max(...networkNames.map(name => name.length))
  const lines = networkNames.map(name => `  ${name.padEnd(longest)}  ${entryOf(name).about}`)
  return `Networks:\n${lines.join('\n')}`
}

/** Refuses options that the network would ignore. @throws UsageError */
export function checkNetworkOptions(choice: NetworkChoice, network = choice.network ?? 'plain_igc'): void {
  for (const key of SIZE_KEYS) {
    if (choice[key] !== undefined && !takesSize(network, key)) refuse(key, network, name => takesSize(name, key))
  }
  if (choice.consistent === true && !('consistent' in entryOf(network).takes)) {
    refuse('consistent', network, name => 'consistent' in entryOf(name).takes)
  }
}

function refuse(key: string, network: string, takes: (name: NetworkName) => boolean): never {
  const option = key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
  const names = networkNames.filter(takes).join(', ')
  throw new UsageError(`--${option}: expected --network ${names} with it but received ${network}`)
}

/** Says where the network is another one than its reader may think. */
export function warnOf(network: NetworkName, choice: NetworkChoice, terminal: Terminal): void {
  const warning = warningOf(network, toModelSizes(choice))
  if (warning !== undefined) terminal.err(`igcnet: ${warning}\n`)
}
