/** Defaults of the papers, and the checks of every option of a run. */
import { expect, test } from 'vitest'
import { models } from '../../src/index.ts'
import { checkConfig, differences, type TrainConfig, withDefaults } from '../../src/train/config.ts'

test('without options: plain_igc, depth 20, L24M2 on the digits', () => {
  expect(withDefaults({ threads: 2 })).toEqual({
    network: 'plain_igc',
    depth: 20,
    primaryPartition: 24,
    secondaryPartition: 2,
    consistent: false,
    dataset: 'digits',
    numClasses: 10,
    augType: 'none',
    batchSize: 64,
    testBatchSize: 200,
    numEpochs: 10,
    lr: 0.1,
    lrFactor: 0.1,
    lrSteps: [5, 8, 9],
    momentum: 0.9,
    weightDecay: 1e-4,
    labelSmoothing: 0,
    bnMomentum: 0.9,
    randSeed: 0,
    checkpointEpochs: 1,
    device: 'cpu',
    threads: 2,
    download: false,
  })
})

test('the protocol of the papers for their data sets', () => {
  const plain = withDefaults({ dataset: 'cifar100' })
  expect(plain).toMatchObject({ numClasses: 100, numEpochs: 400, lrSteps: [200, 300, 350], bnMomentum: 0.99 })
  expect(plain).toMatchObject({ augType: 'paper', batchSize: 64, lr: 0.1, dataDir: 'data' })
  expect(withDefaults({ dataset: 'cifar10', network: 'resnet_igc' }).bnMomentum).toBe(0.9)
  expect(withDefaults({ dataset: 'cifar10', network: 'plain' }).bnMomentum).toBe(0.99)
})

test('the sizes of every network have defaults, and its frame is that of the images', () => {
  expect(withDefaults({ network: 'igcv3_d' })).toMatchObject({
    multiplier: 1,
    permutations: 1,
    frame: 'cifar',
    dropout: 0,
  })
  expect(withDefaults({ network: 'igcv3_d' })).not.toHaveProperty('depth')
  expect(withDefaults({ network: 'xception' })).toMatchObject({ depth: 20, width: 36 })
  for (const network of Object.keys(models.networks) as models.NetworkName[]) {
    const { bnMomentum } = withDefaults({ network, dataset: 'cifar10' })
    expect(bnMomentum).toBe(models.networks[network].bnMomentum)
  }
})

test('steps of the learning rate follow the number of epochs and never fall on the first', () => {
  expect(withDefaults({ numEpochs: 40 }).lrSteps).toEqual([20, 30, 35])
  expect(withDefaults({ numEpochs: 1 }).lrSteps).toEqual([1, 1, 1])
  expect(withDefaults({ numEpochs: 3 }).lrSteps).toEqual([2, 3, 3])
})

test('undefined is the default', () => {
  expect(withDefaults({ trainExamples: undefined, depth: undefined as never }).depth).toBe(20)
})

const names = Object.keys(models.networks).join(', ')

const wrong: [Record<string, unknown>, string][] = [
  [{ network: 'vgg' }, `one of ${names} for network but received "vgg"`],
  [{ network: 'toString' }, `one of ${names} for network but received "toString"`],
  [{ dataset: 'mnist' }, 'one of digits, cifar10, cifar100, folder for dataset but received "mnist"'],
  [{ depth: 2.5 }, 'a whole number from 1 to 10000 for depth but received 2.5'],
  [{ depth: 1e9 }, 'a whole number from 1 to 10000 for depth but received 1000000000'],
  [{ primaryPartition: 0 }, 'a whole number from 1 to 65536 for primaryPartition but received 0'],
  [{ secondaryPartition: '2' }, 'a whole number from 1 to 65536 for secondaryPartition but received "2"'],
  [{ width: 5 }, 'only depth, primaryPartition, secondaryPartition as sizes of plain_igc but received 5 for width'],
  [{ network: 'igcv2', width: 0 }, 'a whole number from 1 to 65536 for width but received 0'],
  [
    { network: 'igcv3_d', depth: 20 },
    'only multiplier, permutations, frame, dropout as sizes of igcv3_d but received 20 for depth',
  ],
  [{ network: 'igcv3_d', multiplier: 65 }, 'a number from 0.01 to 64 for multiplier but received 65'],
  [{ network: 'igcv3_d', permutations: 3 }, '1 or 2 for permutations but received 3'],
  [{ network: 'igcv3_d', dropout: 1 }, 'a number from 0 to 0.99 for dropout but received 1'],
  [{ network: 'resnet_igc_imgnet_d18', growth: 'X' }, 'one of L, M for growth but received "X"'],
  [
    { network: 'igcv3_d', frame: 'imagenet' },
    'cifar for frame, as digits has images of 32x32 and not of 224x224, but received "imagenet"',
  ],
  [{ consistent: 1 }, 'true or false for consistent but received 1'],
  [{ dataDir: '' }, 'the path of a folder for dataDir but received ""'],
  [{ numClasses: 3 }, 'at least the 10 classes of digits for numClasses but received 3'],
  [{ dataset: 'cifar100', numClasses: 10 }, 'at least the 100 classes of cifar100 for numClasses but received 10'],
  [{ trainExamples: 0 }, 'a whole number of 1 or more for trainExamples but received 0'],
  [{ testExamples: -1 }, 'a whole number of 1 or more for testExamples but received -1'],
  [{ augType: 'crop' }, 'one of paper, none for augType but received "crop"'],
  [{ batchSize: 0 }, 'a whole number from 1 to 65536 for batchSize but received 0'],
  [{ testBatchSize: Number.NaN }, 'a whole number from 1 to 65536 for testBatchSize but received NaN'],
  [{ numEpochs: 0 }, 'a whole number from 1 to 1000000 for numEpochs but received 0'],
  [{ lr: -0.1 }, 'a number from 0 to 1000 for lr but received -0.1'],
  [{ lr: Number.NaN }, 'a number from 0 to 1000 for lr but received NaN'],
  [{ lrFactor: 2 }, 'a number from 0 to 1 for lrFactor but received 2'],
  [{ lrSteps: [3, 2] }, 'whole numbers (epochs) in ascending order for lrSteps but received [3,2]'],
  [{ lrSteps: [0.5] }, 'whole numbers (epochs) in ascending order for lrSteps but received [0.5]'],
  [{ momentum: 1.1 }, 'a number from 0 to 1 for momentum but received 1.1'],
  [{ weightDecay: Number.POSITIVE_INFINITY }, 'a number from 0 to 1 for weightDecay but received Infinity'],
  [{ labelSmoothing: -1 }, 'a number from 0 to 1 for labelSmoothing but received -1'],
  [{ bnMomentum: 99 }, 'a number from 0 to 1 for bnMomentum but received 99'],
  [{ randSeed: -1 }, 'a whole number from 0 to 2^53 - 1 for randSeed but received -1'],
  [{ checkpointEpochs: 0 }, 'a whole number of 1 or more for checkpointEpochs but received 0'],
  [{ device: 'tpu' }, 'cpu, reference, cuda or cuda:N for device but received "tpu"'],
  [{ threads: 0 }, 'a whole number from 1 to 1024 for threads but received 0'],
  [{ download: 'yes' }, 'true or false for download but received "yes"'],
]

test.each(wrong)('%o', (options, message) => {
  expect(() => withDefaults(options as Partial<TrainConfig>)).toThrow(
    expect.objectContaining({ name: 'RangeError', message: `config: expected ${message}` }),
  )
})

test('an unknown name is an error', () => {
  expect(() => withDefaults({ learningRate: 1 } as never)).toThrow(/^config: expected only network, .* 'learningRate'$/)
})

test('a configuration from a file must be complete', () => {
  const { depth: _, ...rest } = withDefaults()
  expect(() => checkConfig(rest)).toThrow(
    'config: expected a whole number from 1 to 10000 for depth but received undefined',
  )
  for (const value of [null, 1, 'x', []]) expect(() => checkConfig(value)).toThrow('config: expected an object but')
})

test('a continuation may change what has no influence on the steps before it, and nothing else', () => {
  const stored = withDefaults({ dataset: 'cifar10' })
  const moved = { ...stored, dataDir: 'elsewhere', numEpochs: 500, checkpointEpochs: 5, download: true }
  expect(differences(stored, moved)).toEqual([])
  expect(differences(stored, { ...stored, lr: 0.2, threads: stored.threads + 1 })).toEqual(['lr', 'threads'])
  expect(differences(stored, { ...stored, lrSteps: [200, 300] })).toEqual(['lrSteps'])
  expect(differences(stored, { ...stored, trainExamples: 100 })).toEqual(['trainExamples'])
})
