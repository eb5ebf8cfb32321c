/** The data sets of a configuration. */
import { cifar10, cifar100, digits, imageFolder, type Loader, type OnDownload, type Split } from '../data/index.ts'
import type { TrainConfig } from './config.ts'

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
  const { dataDir: root = 'data', download } = config
  if (config.dataset === 'folder') return openFolder(imageFolder({ ...shared, root }), config)
  const open = config.dataset === 'cifar10' ? cifar10 : cifar100
  return open({ ...shared, root, download, onProgress: options.onProgress })
}

function openFolder(loader: Loader, { dataDir, numClasses }: TrainConfig): Loader {
  if (loader.classes <= numClasses) return loader
  throw new RangeError(
    `config: expected at least the ${loader.classes} classes of ${dataDir} for numClasses but received ${numClasses}`,
  )
}
