/** Networks in model files: what a run leaves as best.safetensors. Checked in test/unit/network-file.test.ts. */
import { lstatSync, realpathSync } from 'node:fs'
import { DataError } from '../errors.ts'
import { checkIsFile, statOf } from '../file.ts'
import type { Network } from '../models/index.ts'
import type { DeviceName } from '../tensor.ts'
import { modelFile, readModel, storeModel, writeModel } from './checkpoint.ts'
import { checkConfig, onDevice, type TrainConfig } from './config.ts'
import { checkTensors, readTensors, restoreNetwork } from './network.ts'

/** A network that was read, and the configuration of the run that trained it. */
export interface LoadedNetwork {
  net: Network
  config: TrainConfig
}

/**
 * Reads a network from a model file, in training mode; `net.eval()` makes it ready to predict. Whoever calls this
 * disposes of it. Off CUDA the configuration has no `precision`.
 * @param path a model file, or a run folder: its best.safetensors, else last.safetensors
 * @param options device: where the network is put. Default: 'cpu'
 * @throws DataError for a file that is missing, damaged or not of igcnet
 * @example
 * const { net, config } = await train.loadNetwork('runs/first')
 */
export async function loadNetwork(
  path: string,
  options: { device?: DeviceName | undefined } = {},
): Promise<LoadedNetwork> {
  const file = modelFile(path)
  const model = await readModel(file)
  const config = onDevice(model.config, options.device ?? 'cpu')
  return { net: restoreNetwork(model, config, file), config }
}

/**
 * Writes a network to a model file, which `loadNetwork` and `igcnet evaluate` read. Whatever happens, the file is whole:
 * the one before, or the new one. Through a link, the file that it leads to is replaced.
 * @param config that the network was built from (`buildNetwork`)
 * @throws RangeError for a configuration that makes no sense; DataError when it is another network's, for a path at which
 * there is no file but something else, and when the file cannot be written
 * @example
 * await train.saveNetwork('flowers.safetensors', net, config)
 */
export async function saveNetwork(path: string, net: Network, config: TrainConfig): Promise<void> {
  const checked = checkConfig(config)
  const target = fileToReplace(path)
  const tensors = await readTensors(Object.entries(net.state()))
  checkTensors(checked, tensors, 'the network to save')
  await writeModel(target, storeModel(checked, tensors))
}

/** The file at a path, behind links; or the path where there is nothing. */
function fileToReplace(path: string): string {
  const stats = statOf('saveNetwork', path)
  if (stats !== undefined) {
    checkIsFile('saveNetwork', path, stats)
    return realpathSync(path)
  }
  if (path === '' || lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new DataError(
      `saveNetwork: expected the path of a file but received '${path}'${path && ', a link to nothing'}`,
    )
  }
  return path
}
