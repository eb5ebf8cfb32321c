/** The options that choose a network, shared by `train` and `summary`. Checked in test/cli/usage.test.ts. */
import { type Command, Option } from 'commander'
import { UsageError } from './failure.ts'
import { NETWORKS } from './names.ts'
import { oneOf, wholeNumber } from './values.ts'

/** What the options of `addNetworkOptions` become; names as in TrainConfig, undefined where not given. */
export interface NetworkChoice {
  network?: (typeof NETWORKS)[number]
  depth?: number
  primaryPartition?: number
  secondaryPartition?: number
  numClasses?: number
  consistent?: boolean
}

/** Adds --network, --depth, --primary-partition, --secondary-partition, --num-classes and --consistent. */
export function addNetworkOptions(command: Command, classesDefault: string): void {
  command
    .optionsGroup('Network:')
    .option('--network <name>', `${NETWORKS.join(', ')} (default: plain_igc)`, oneOf('network', NETWORKS))
    .option(
      '--depth <n>',
      'weighted layers: 3B + 2 for plain networks, 6n + 2 for residual ones (default: 20)',
      wholeNumber('--depth', 1, 10_000),
    )
    .option(
      '--primary-partition <L>',
      'groups of the primary convolutions; regular networks are L*M channels wide (default: 24)',
      wholeNumber('--primary-partition', 1, 65_536),
    )
    .option(
      '--secondary-partition <M>',
      'groups of the secondary convolutions in stage 1; doubles with the width (default: 2)',
      wholeNumber('--secondary-partition', 1, 65_536),
    )
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
}

/** Refuses --consistent where it has no effect. @throws UsageError */
export function checkConsistent(consistent: boolean | undefined, network: string): void {
  if (consistent !== true || network === 'resnet_igc') return
  throw new UsageError(`--consistent: expected --network resnet_igc with it but received ${network}`)
}
