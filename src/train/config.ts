/**
 * Everything that determines a training run: its options, the papers' defaults and their checks. A run folder keeps it
 * as config.json, a checkpoint in its metadata. Checked in test/unit/train-config.test.ts.
 */
import { imageFolderClasses } from '../data/index.ts'
import { defaultThreads } from '../device.ts'
import { type NetworkName, networks } from '../models/index.ts'
import { entryOf } from '../models/table.ts'
import type { DeviceName } from '../tensor.ts'
import { type ConfigSizes, defaultSizes, SIZE_KEYS, takesSize } from './network-sizes.ts'

/** A data set by name. */
export type DatasetName = 'digits' | 'cifar10' | 'cifar100' | 'folder'

/** In what maps are stored while a network trains; parameters, sums and the evaluation are f32. */
export type Precision = 'f32' | 'bf16' | 'f16'

/** Plain JSON. Epochs are counted from 0. */
export interface TrainConfig extends ConfigSizes {
  /** A name of `models.networks`, whose table has the defaults of its sizes. Default: plain_igc. */
  network: NetworkName
  /** resnet_igc: without the authors' quirk where the width changes (src/models/resnet.ts). Default: false. */
  consistent: boolean
  /** Default: digits, which come with igcnet. */
  dataset: DatasetName
  /** The folder of the CIFAR files, or its parent; of folders of images, that of `train` and `test`. Default: `data`. Not for the digits. */
  dataDir?: string | undefined
  /** Outputs of the network, at least the classes of the data set. Default: those. */
  numClasses: number
  /** Of folders of images: the names of the classes, by label. Default: the folders in `train`, in the order of their names. */
  classNames?: string[] | undefined
  /** Use the first N training images only. Default: all. */
  trainExamples?: number | undefined
  /** Use the first N test images only. Default: all. */
  testExamples?: number | undefined
  /** `paper`: pad by 4 pixels, random crop, mirror (no mirror for digits). Default: paper, but none for the digits. */
  augType: 'paper' | 'none'
  /** Default: 64. */
  batchSize: number
  /** Images in a batch of the evaluation; no result depends on it but for rounding. Default: 200. */
  testBatchSize: number
  /** Default: 400, and 10 for the digits. */
  numEpochs: number
  /** Learning rate. Default: 0.1. */
  lr: number
  /** The learning rate is multiplied by it at each of lrSteps. Default: 0.1. */
  lrFactor: number
  /** Epochs, in ascending order. Default: 1/2, 3/4 and 7/8 of numEpochs, rounded up. */
  lrSteps: number[]
  /** Nesterov's. Default: 0.9. */
  momentum: number
  /** On every parameter. Default: 1e-4. */
  weightDecay: number
  /** Of the training loss. Default: 0. */
  labelSmoothing: number
  /** Momentum of batch norm, MXNet's sense. Default: the authors' for the network, and 0.9 for the digits. */
  bnMomentum: number
  /** Fixes initial values, order and augmentation: a whole number. Default: 0. */
  randSeed: number
  /** A checkpoint after every so many epochs, and after the last. Default: 1. */
  checkpointEpochs: number
  /** Default: cpu. */
  device: DeviceName
  /** In what maps are stored: f32, and on cuda also bf16 and f16, the latter with dynamic loss scaling. Default: f32. */
  precision?: Precision | undefined
  /** Threads of the device. Default: IGCNET_THREADS, or all cores. */
  threads: number
  /** Download the data set if it is missing. Default: false. */
  download: boolean
}

/**
 * What may differ between a run and its continuation: none of it changes a bit of what was done. Names of classes are those
 * of the run, whoever says what (`withClassNames`).
 */
export const CHANGEABLE: readonly (keyof TrainConfig)[] = [
  'dataDir',
  'classNames',
  'numEpochs',
  'checkpointEpochs',
  'download',
]

/** Of folders of images: the least; how many they have is seen when they are read. */
const DATASET_CLASSES: Record<DatasetName, number> = { digits: 10, cifar10: 10, cifar100: 100, folder: 1 }
const DEVICE = /^(cpu|reference|cuda(:\d{1,3})?)$/

/** Bounds that no sensible network reaches: a damaged file must not make a network that exhausts the memory. */
const MAX_DEPTH = 10_000
const MAX_PARTITION = 65_536
const MAX_CLASSES = 1_000_000
const MIN_MULTIPLIER = 0.01
const MAX_MULTIPLIER = 64

type Check = (value: unknown) => boolean

const wholeFrom =
  (least: number, most = Number.MAX_SAFE_INTEGER): Check =>
  value =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
const numberIn =
  (low: number, high: number): Check =>
  value =>
    typeof value === 'number' && value >= low && value <= high
const oneOf =
  (names: readonly string[]): Check =>
  value =>
    typeof value === 'string' && names.includes(value)
const isBoolean: Check = value => typeof value === 'boolean'
const isEpochs: Check = value =>
  Array.isArray(value) && value.every((step, i) => wholeFrom(0)(step) && (i === 0 || step >= value[i - 1]))

const isNames: Check = value =>
  Array.isArray(value) && value.every(name => typeof name === 'string') && new Set(value).size === value.length

const names = (list: readonly string[]) => `one of ${list.join(', ')}`

/** What each value must be, in words, and its check. */
const RULES: Record<keyof TrainConfig, readonly [string, Check]> = {
  network: [names(Object.keys(networks)), oneOf(Object.keys(networks))],
  depth: [`a whole number from 1 to ${MAX_DEPTH}`, wholeFrom(1, MAX_DEPTH)],
  primaryPartition: [`a whole number from 1 to ${MAX_PARTITION}`, wholeFrom(1, MAX_PARTITION)],
  secondaryPartition: [`a whole number from 1 to ${MAX_PARTITION}`, wholeFrom(1, MAX_PARTITION)],
  width: [`a whole number from 1 to ${MAX_PARTITION}`, wholeFrom(1, MAX_PARTITION)],
  groupChannels: [`a whole number from 1 to ${MAX_PARTITION}`, wholeFrom(1, MAX_PARTITION)],
  multiplier: [`a number from ${MIN_MULTIPLIER} to ${MAX_MULTIPLIER}`, numberIn(MIN_MULTIPLIER, MAX_MULTIPLIER)],
  growth: ['one of L, M', oneOf(['L', 'M'])],
  permutations: ['1 or 2', wholeFrom(1, 2)],
  frame: ['one of imagenet, cifar', oneOf(['imagenet', 'cifar'])],
  dropout: ['a number from 0 to 0.99', numberIn(0, 0.99)],
  consistent: ['true or false', isBoolean],
  dataset: [names(Object.keys(DATASET_CLASSES)), oneOf(Object.keys(DATASET_CLASSES))],
  dataDir: ['the path of a folder', value => value === undefined || (typeof value === 'string' && value !== '')],
  numClasses: [`a whole number from 1 to ${MAX_CLASSES}`, wholeFrom(1, MAX_CLASSES)],
  classNames: ['different names', value => value === undefined || isNames(value)],
  trainExamples: ['a whole number of 1 or more', value => value === undefined || wholeFrom(1)(value)],
  testExamples: ['a whole number of 1 or more', value => value === undefined || wholeFrom(1)(value)],
  augType: ['one of paper, none', oneOf(['paper', 'none'])],
  batchSize: ['a whole number from 1 to 65536', wholeFrom(1, 65_536)],
  testBatchSize: ['a whole number from 1 to 65536', wholeFrom(1, 65_536)],
  numEpochs: ['a whole number from 1 to 1000000', wholeFrom(1, 1_000_000)],
  lr: ['a number from 0 to 1000', numberIn(0, 1000)],
  lrFactor: ['a number from 0 to 1', numberIn(0, 1)],
  lrSteps: ['whole numbers (epochs) in ascending order', isEpochs],
  momentum: ['a number from 0 to 1', numberIn(0, 1)],
  weightDecay: ['a number from 0 to 1', numberIn(0, 1)],
  labelSmoothing: ['a number from 0 to 1', numberIn(0, 1)],
  bnMomentum: ['a number from 0 to 1', numberIn(0, 1)],
  randSeed: ['a whole number from 0 to 2^53 - 1', wholeFrom(0)],
  checkpointEpochs: ['a whole number of 1 or more', wholeFrom(1)],
  device: ['cpu, reference, cuda or cuda:N', value => typeof value === 'string' && DEVICE.test(value)],
  precision: ['one of f32, bf16, f16', value => value === undefined || oneOf(['f32', 'bf16', 'f16'])(value)],
  threads: ['a whole number from 1 to 1024', wholeFrom(1, 1024)],
  download: ['true or false', isBoolean],
}

const show = (value: unknown) => (typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value)))

/**
 * Completes a configuration with the defaults, which depend on network and data set, and checks it.
 * @throws RangeError for a value that makes no sense, an unknown network, say; TypeError for an unknown option; DataError for
 * a folder of images that cannot be read, when its classes are not given
 * @example
 * withDefaults({ dataset: 'cifar10', dataDir: 'cifar-10-batches-bin' }).numEpochs // 400
 */
export function withDefaults(partial: Partial<TrainConfig> = {}): TrainConfig {
  const given = Object.fromEntries(Object.entries(partial).filter(([, value]) => value !== undefined))
  for (const key of ['network', 'dataset', 'numEpochs'] as const) if (key in given) check(key, given[key])
  const { network = 'plain_igc', dataset = 'digits' } = partial
  const isDigits = dataset === 'digits'
  const { numEpochs = isDigits ? 10 : 400, dataDir = 'data', numClasses } = partial
  // Looked at only where nobody said it: a configuration can be completed where the images are not.
  const isLookedAt = dataset === 'folder' && numClasses === undefined
  const classNames = isLookedAt ? imageFolderClasses(dataDir) : undefined
  const defaults: TrainConfig = {
    network,
    ...defaultSizes(network),
    consistent: false,
    dataset,
    ...(isDigits ? {} : { dataDir }),
    numClasses: classNames?.length ?? DATASET_CLASSES[dataset],
    ...(classNames && { classNames }),
    augType: isDigits ? 'none' : 'paper',
    batchSize: 64,
    testBatchSize: 200,
    numEpochs,
    lr: 0.1,
    lrFactor: 0.1,
    lrSteps: [1 / 2, 3 / 4, 7 / 8].map(share => Math.ceil(share * numEpochs)),
    momentum: 0.9,
    weightDecay: 1e-4,
    labelSmoothing: 0,
    bnMomentum: isDigits ? 0.9 : entryOf(network).bnMomentum,
    randSeed: 0,
    checkpointEpochs: 1,
    device: 'cpu',
    threads: defaultThreads(),
    download: false,
  }
  return checkConfig({ ...defaults, ...given })
}

function check(key: keyof TrainConfig, value: unknown): void {
  const [expected, holds] = RULES[key]
  if (!holds(value)) throw new RangeError(`config: expected ${expected} for ${key} but received ${show(value)}`)
}

const isSize = (key: string): key is keyof ConfigSizes => (SIZE_KEYS as readonly string[]).includes(key)

/** Refuses sizes that the network has not, and a frame that the images have not. */
function checkTaken(config: TrainConfig): void {
  const { network, frame, dataset } = config
  for (const key of SIZE_KEYS) {
    if (config[key] === undefined || takesSize(network, key)) continue
    const taken = SIZE_KEYS.filter(other => takesSize(network, other)).join(', ')
    throw new RangeError(
      `config: expected only ${taken} as sizes of ${network} but received ${show(config[key])} for ${key}`,
    )
  }
  if (frame === 'imagenet') {
    throw new RangeError(
      `config: expected cifar for frame, as ${dataset} has images of 32x32 and not of 224x224, but received "imagenet"`,
    )
  }
}

/**
 * Checks a complete configuration, for example one that was read from a file, and returns it.
 * @throws RangeError for a value that makes no sense or is missing, TypeError for an unknown option
 */
export function checkConfig(config: unknown): TrainConfig {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new TypeError(`config: expected an object but received ${show(config)}`)
  }
  for (const key of Object.keys(config)) {
    if (!Object.hasOwn(RULES, key)) {
      throw new TypeError(`config: expected only ${Object.keys(RULES).join(', ')} but received '${key}'`)
    }
  }
  const checked = config as TrainConfig
  check('network', checked.network)
  checkTaken(checked)
  for (const key of Object.keys(RULES) as (keyof TrainConfig)[]) {
    if (!isSize(key) || takesSize(checked.network, key)) check(key, checked[key])
  }
  const { device, precision = 'f32' } = checked
  if (precision !== 'f32' && !device.startsWith('cuda')) {
    throw new RangeError(`config: expected f32 for precision on the device ${device} but received ${show(precision)}`)
  }
  const classes = DATASET_CLASSES[checked.dataset]
  if (checked.numClasses < classes) {
    throw new RangeError(
      `config: expected at least the ${classes} classes of ${checked.dataset} for numClasses but received ${checked.numClasses}`,
    )
  }
  return checked
}

/** A configuration with what another one of the same run has for its changeable values. */
export function withChangeable(config: TrainConfig, changed: TrainConfig): TrainConfig {
  return { ...config, ...Object.fromEntries(CHANGEABLE.map(key => [key, changed[key]])) }
}

/** The configuration on another device. Half precision stays behind where there is none. */
export function onDevice({ precision, ...config }: TrainConfig, device: DeviceName): TrainConfig {
  return { ...config, device, ...(precision !== undefined && /^cuda/.test(device) && { precision }) }
}

/**
 * The names of the values in which a continuation differs from its run though they matter for the result.
 * `numEpochs` alone may be changed of what decides on the result: a run can be made longer or shorter.
 */
export function differences(stored: TrainConfig, given: TrainConfig): (keyof TrainConfig)[] {
  const keys = Object.keys(RULES) as (keyof TrainConfig)[]
  const text = ({ precision = 'f32', ...config }: TrainConfig, key: keyof TrainConfig) =>
    JSON.stringify({ ...config, precision }[key])
  return keys.filter(key => !CHANGEABLE.includes(key) && text(stored, key) !== text(given, key))
}
