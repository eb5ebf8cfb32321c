/** The data sets of a configuration. Checked in test/unit/data-image-folder.test.ts and test/unit/trainer.test.ts. */
import {
  cifar10,
  cifar100,
  digits,
  imageFolder,
  imageFolderClasses,
  type Loader,
  type OnDownload,
  type Split,
} from '../data/index.ts'
import { DataError } from '../errors.ts'
import type { TrainConfig } from './config.ts'

const DATA_DIR = 'data'
const MOST_LISTED = 10

/**
 * The configuration of a run with the names of its classes, for folders of images: those of the run that it continues.
 * @throws DataError when the folder has others
 */
export function withClassNames(config: TrainConfig, continued: TrainConfig | undefined): TrainConfig {
  const { dataset, dataDir = DATA_DIR } = config
  if (dataset !== 'folder') return config
  const found = imageFolderClasses(dataDir)
  const classNames = continued?.classNames ?? config.classNames ?? found
  if (JSON.stringify(classNames.toSorted()) !== JSON.stringify(found)) {
    throw new DataError(
      `config: expected the classes ${listed(classNames, found)} in ${dataDir} but received ${listed(found, classNames)}`,
    )
  }
  return { ...config, classNames }
}

/** Names; of many only those that the other list has not. */
function listed(names: readonly string[], other: readonly string[]): string {
  if (names.length <= MOST_LISTED) return names.join(', ')
  const own = names.filter(name => !other.includes(name)).slice(0, MOST_LISTED)
  return [...own, `… (${names.length} in all)`].join(', ')
}

/**
 * The loader of one split: the training split in random order, augmented and without its last incomplete batch, the test
 * split as it is.
 * @throws DataError when files are missing or malformed, RangeError for numbers of examples that do not fit
 */
export function openDataset(
  config: TrainConfig,
  split: Split,
  options: { evaluating?: boolean; onProgress?: OnDownload } = {},
): Loader {
  const training = split === 'train' && !options.evaluating
  const shared = {
    split,
    batchSize: training ? config.batchSize : config.testBatchSize,
    augment: training && config.augType === 'paper',
    shuffle: training,
    dropLast: training,
    seed: config.randSeed,
    examples: split === 'train' ? config.trainExamples : config.testExamples,
  }
  if (config.dataset === 'digits') return digits(shared)
  const { dataDir: root = DATA_DIR, download, classNames: classes } = config
  if (config.dataset === 'folder') return openFolder(imageFolder({ ...shared, root, classes }), root, config)
  const open = config.dataset === 'cifar10' ? cifar10 : cifar100
  return open({ ...shared, root, download, onProgress: options.onProgress })
}

function openFolder(loader: Loader, root: string, { numClasses }: TrainConfig): Loader {
  if (loader.classes <= numClasses) return loader
  throw new RangeError(
    `config: expected at least the ${loader.classes} classes of ${root} for numClasses but received ${numClasses}`,
  )
}
