/**
 * The options of `igcnet train`, with the names of the authors' scripts, and how they become a configuration.
 * Checked in test/cli/usage.test.ts and test/cli/train.test.ts.
 */
import type { Command } from 'commander'
import type { TrainConfig } from '../train/index.ts'
import { UsageError } from './failure.ts'
import { addDataOptions, addDeviceOptions, type DataChoice } from './machine-options.ts'
import type { DeviceChoice } from './names.ts'
import { addNetworkOptions, type NetworkChoice } from './network-options.ts'
import { epochList, oneOf, path, realNumber, wholeNumber } from './values.ts'

/** What the options become; names as in TrainConfig where they mean the same, undefined where not given. */
export interface TrainChoice extends NetworkChoice, DataChoice, ScheduleChoice {
  checkpointEpochs?: number
  device?: DeviceChoice
  threads?: number
  runDir?: string
  resume?: string
  modelPrefix?: string
  loadEpoch?: number
  json?: boolean
}

/** What the options of `addAugmentation` and `addScheduleOptions` become. */
export interface ScheduleChoice {
  augType?: 'paper' | 'none'
  batchSize?: number
  testBatchSize?: number
  numEpochs?: number
  lr?: number
  lrFactor?: number
  lrSteps?: number[]
  momentum?: number
  weightDecay?: number
  labelSmoothing?: number
  bnMomentum?: number
  randSeed?: number
  precision?: 'f32' | 'bf16' | 'f16'
}

/** Options that say where and how to run; all others go into the configuration under their own names. */
type RunOption = 'runDir' | 'resume' | 'modelPrefix' | 'loadEpoch' | 'json' | 'device'

/** Adds all options of the command. */
export function addTrainOptions(command: Command): void {
  addNetworkOptions(command, 'the classes of the data set')
  addDataOptions(command, { dataset: 'digits, which come with igcnet' })
  addAugmentation(command)
  addScheduleOptions(command)
  addDeviceOptions(command)
  addRunOptions(command)
}

/** Adds --aug-type. */
export function addAugmentation(command: Command): void {
  command.option(
    '--aug-type <type>',
    'paper: pad by 4, random crop, mirror (digits are not mirrored); none (default: paper, but none for digits)',
    oneOf('augmentation', ['paper', 'none']),
  )
}

/** Adds batch sizes, epochs, optimiser and seed. */
export function addScheduleOptions(command: Command): void {
  command
    .optionsGroup('Training:')
    .option('--batch-size <n>', 'images in a batch (default: 64)', wholeNumber('--batch-size', 1, 65_536))
    .option(
      '--test-batch-size <n>',
      'images in a test batch (default: 200)',
      wholeNumber('--test-batch-size', 1, 65_536),
    )
    .option('--num-epochs <n>', 'epochs (default: 400, but 10 for digits)', wholeNumber('--num-epochs', 1, 1_000_000))
    .option('--lr <rate>', 'learning rate (default: 0.1)', realNumber('--lr', { above: 0, most: 1000 }))
    .option(
      '--lr-factor <f>',
      'multiplies it at each of --lr-steps (default: 0.1)',
      realNumber('--lr-factor', { above: 0, most: 1 }),
    )
    .option(
      '--lr-steps <epochs>',
      'finished epochs, separated by commas, or none (default: 1/2, 3/4 and 7/8 of --num-epochs)',
      epochList('--lr-steps'),
    )
    .option('--momentum <m>', "Nesterov's momentum (default: 0.9)", realNumber('--momentum', { least: 0, below: 1 }))
    .option(
      '--wd, --weight-decay <d>',
      'weight decay of every parameter (default: 0.0001)',
      realNumber('--weight-decay', { least: 0, most: 1 }),
    )
    .option(
      '--label-smoothing <s>',
      'share of the label given to all classes (default: 0)',
      realNumber('--label-smoothing', { least: 0, below: 1 }),
    )
    .option(
      '--bn-momentum <m>',
      'what running statistics keep at a step (default: 0.99; 0.9 for residual and ImageNet networks, and digits)',
      realNumber('--bn-momentum', { least: 0, below: 1 }),
    )
    .option(
      '--precision <dtype>',
      'in what maps are stored: f32, or on cuda bf16 or f16 (default: f32)',
      oneOf('precision', ['f32', 'bf16', 'f16']),
    )
    .option(
      '--rand-seed <n>',
      'fixes initial values, order and augmentation (default: 0)',
      wholeNumber('--rand-seed', 0),
    )
}

function addRunOptions(command: Command): void {
  command
    .optionsGroup('Run:')
    .option(
      '--run-dir <dir>',
      'folder of results and checkpoints (default: runs/<network>-<dataset>-<time>)',
      path('--run-dir'),
    )
    .option(
      '--checkpoint-epochs <n>',
      'a checkpoint every N epochs (default: 1)',
      wholeNumber('--checkpoint-epochs', 1),
    )
    .option(
      '--resume <path>',
      'continue the run of this folder or checkpoint, with its own options; epochs and places of files may differ',
      path('--resume'),
    )
    .option('--model-prefix <dir>', "the authors' name of --run-dir", path('--model-prefix'))
    .option(
      '--load-epoch <n>',
      "with --model-prefix, the authors' form of --resume: continue where N epochs are done",
      wholeNumber('--load-epoch', 1),
    )
    .option('--json', 'print one JSON object on the last line of standard output; progress goes to standard error')
}

/** Where a run is written and which one it continues. */
export interface RunPlace {
  runDir: string | undefined
  resume: string | undefined
  /** The epoch at which the checkpoint to continue must be. */
  loadEpoch: number | undefined
}

/** Brings the authors' pair --model-prefix, --load-epoch and --run-dir, --resume together. @throws UsageError */
export function placeOf({ runDir, resume, modelPrefix, loadEpoch }: TrainChoice): RunPlace {
  if (loadEpoch !== undefined && modelPrefix === undefined) {
    throw new UsageError('--load-epoch: expected --model-prefix, the folder of the run to continue, with it')
  }
  if (modelPrefix !== undefined && runDir !== undefined) {
    throw new UsageError('--model-prefix: expected only one of --model-prefix and --run-dir, which mean the same')
  }
  if (loadEpoch !== undefined && resume !== undefined) {
    throw new UsageError('--load-epoch: expected only one of --load-epoch and --resume')
  }
  return { runDir: runDir ?? modelPrefix, resume: loadEpoch === undefined ? resume : modelPrefix, loadEpoch }
}

/** The part of the configuration that the command line gives. */
export function givenConfig(choice: TrainChoice): Partial<TrainConfig> {
  const { runDir, resume, modelPrefix, loadEpoch, json, device, ...config } = choice
  return config satisfies Omit<TrainChoice, RunOption>
}
