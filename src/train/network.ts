/** Networks from configurations and checkpoints, and back. Checked in test/unit/checkpoint.test.ts. */
import { DataError } from '../errors.ts'
import { create, type Network } from '../models/index.ts'
import { entryOf, sizesOf } from '../models/table.ts'
import { formatShape, isHalf, type Tensor } from '../tensor.ts'
import type { StoredModel } from './checkpoint.ts'
import type { TrainConfig } from './config.ts'
import { toModelSizes } from './network-sizes.ts'
import type { StoredTensor } from './safetensors.ts'

/** The network of a configuration, with its initial values. @throws RangeError for a depth that does not fit */
export function buildNetwork(config: TrainConfig): Network {
  return create(config.network, {
    ...toModelSizes(config),
    classes: config.numClasses,
    seed: config.randSeed,
    bnMomentum: config.bnMomentum,
    device: config.device,
  })
}

/** The values of tensors by name, as they are when every op enqueued so far has run. */
export async function readTensors(tensors: Iterable<readonly [string, Tensor]>): Promise<Map<string, StoredTensor>> {
  const reads = Array.from(tensors, async ([name, tensor]) => {
    const { shape, dtype } = tensor
    const stored = isHalf(dtype) ? 'f32' : dtype // of which data() gives the values
    return [name, { shape, dtype: stored, data: await tensor.data() }] as const
  })
  return new Map(await Promise.all(reads))
}

/**
 * Overwrites tensors with stored ones: the same names, shapes and dtypes. `path` is for messages.
 * @throws DataError when they do not agree; then nothing was changed
 */
export function writeTensors(
  targets: Iterable<readonly [string, Tensor]>,
  stored: ReadonlyMap<string, StoredTensor>,
  path: string,
): void {
  for (const [target, data] of pairTensors(targets, stored, path)) target.assign(data)
}

/** @throws DataError unless the tensors are those of the network of a configuration; `where` is for messages */
export function checkTensors(config: TrainConfig, tensors: ReadonlyMap<string, StoredTensor>, where: string): void {
  const net = buildNetwork({ ...config, device: 'cpu' })
  try {
    pairTensors(Object.entries(net.state()), tensors, where)
  } finally {
    net.dispose()
  }
}

function pairTensors(
  targets: Iterable<readonly [string, Tensor]>,
  stored: ReadonlyMap<string, StoredTensor>,
  path: string,
) {
  const pairs = Array.from(targets, ([name, target]) => {
    const value = stored.get(name)
    const expected = `${target.dtype} ${formatShape(target.shape)}`
    const received = value === undefined ? 'nothing' : `${value.dtype} ${formatShape(value.shape)}`
    if (value === undefined || received !== expected) {
      throw new DataError(`checkpoint: expected ${expected} for '${name}' in ${path} but received ${received}`)
    }
    return [target, value.data] as const
  })
  if (pairs.length !== stored.size) {
    throw new DataError(`checkpoint: expected ${pairs.length} tensors in ${path} but received ${stored.size}`)
  }
  return pairs
}

/**
 * The network of a model file, on the device that `config` says. `path` is for messages.
 * @throws DataError when the tensors are not those of the configuration
 */
export function restoreNetwork(model: StoredModel, config: TrainConfig, path: string): Network {
  checkSizes(model, path)
  const net = buildNetwork(config)
  try {
    writeTensors(Object.entries(net.state()), model.tensors, path)
  } catch (error) {
    net.dispose()
    throw error
  }
  return net
}

/**
 * Throws unless the file has at least the values of the network's narrowest stage. Without this a damaged configuration
 * could ask for a network of any size; with it, for one about 100 times the size of the file (later stages are wider).
 */
function checkSizes({ config, tensors }: StoredModel, path: string): void {
  const actual = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0)
  const least = leastValues(config)
  if (actual < least) {
    throw new DataError(
      `checkpoint: expected at least ${least} values for the ${config.network} of ${path} but received ${actual}`,
    )
  }
}

/** Fewer values than the network of a configuration has: a third of its layers at the width of the first stage. */
function leastValues(config: TrainConfig): number {
  const { depth = 18, ...sizes } = sizesOf(config.network, toModelSizes(config))
  const { primaryPartitions: L = 1, secondaryPartitions: M = 1, width = L * M, multiplier } = sizes
  const { regular, images } = entryOf(config.network)
  // Of networks that a multiplier alone makes larger, far less than the narrowest layers have.
  if (multiplier !== undefined) return Math.floor(10_000 * Math.min(multiplier, multiplier ** 2))
  const layers = Math.floor((depth - 2) / 3)
  const layer = (9 * width ** 2) / (regular ? 1 : width / M)
  const head = images.imagenet === undefined ? 4 * width * config.numClasses : 0
  return layers * layer + 27 * width + head
}
