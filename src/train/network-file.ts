/** Networks in model files: what a run leaves as best.safetensors. Checked in test/unit/network-file.test.ts. */
import type { Network } from '../models/index.ts'
import type { DeviceName } from '../tensor.ts'
import { modelFile, readModel, storeModel, writeModel } from './checkpoint.ts'
import { checkConfig, type TrainConfig } from './config.ts'
import { readTensors, restoreNetwork } from './network.ts'

/** A network that was read, and the configuration of the run that trained it. */
export interface LoadedNetwork {
  net: Network
  config: TrainConfig
}

/**
 * Reads a network from a model file, in training mode; `net.eval()` makes it ready to predict. Whoever calls this
 * disposes of it.
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
  const config = { ...model.config, device: options.device ?? 'cpu' }
  return { net: restoreNetwork(model, config, file), config }
}

/**
 * Writes a network to a model file, which `loadNetwork` and `igcnet evaluate` read. Whatever happens, the file is whole:
 * the one before, or the new one.
 * @param config that the network was built from (`buildNetwork`)
 * @throws RangeError for a configuration that makes no sense, DataError when the file cannot be written
 * @example
 * await train.saveNetwork('flowers.safetensors', net, config)
 */
export async function saveNetwork(path: string, net: Network, config: TrainConfig): Promise<void> {
  const tensors = await readTensors(Object.entries(net.state()))
  await writeModel(path, storeModel(checkConfig(config), tensors))
}
