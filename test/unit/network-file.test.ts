/** Networks in model files: what is written is read, and the text of each error. */
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { buildNetwork, evaluateCheckpoint, loadNetwork, saveNetwork, withDefaults } from '../../src/train/index.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

let folder = ''
let remove: () => void
beforeEach(() => ({ path: folder, remove } = temporaryDirectory()))
afterEach(() => remove())

const config = withDefaults({ depth: 5, primaryPartition: 2, randSeed: 3, testExamples: 20 })

it('a network that is written is read again, as a file and for evaluation', async () => {
  const path = join(folder, 'net.safetensors')
  const net = buildNetwork(config)
  await saveNetwork(path, net, config)
  const { net: read, config: readConfig } = await loadNetwork(path)
  expect(readConfig).toEqual(config)
  const state = read.state()
  expect(Object.keys(state)).toEqual(Object.keys(net.state()))
  for (const [name, value] of Object.entries(net.state())) expect(state[name]?.dataSync()).toEqual(value.dataSync())
  expect((await evaluateCheckpoint(path)).examples).toBe(20)
  const { net: other, config: otherConfig } = await loadNetwork(path, { device: 'reference' })
  expect([other.parameters()[0]?.device, otherConfig.device]).toEqual(['reference', 'reference'])
})

it('errors name the file', async () => {
  await expect(loadNetwork(folder)).rejects.toThrow(
    new DataError(`checkpoint: expected best.safetensors or last.safetensors in ${folder} but found neither`),
  )
  await expect(loadNetwork(join(folder, 'gone'))).rejects.toThrow(join(folder, 'gone'))
  const nowhere = join(folder, 'no/net.safetensors')
  await expect(saveNetwork(nowhere, buildNetwork(config), config)).rejects.toThrow(
    `checkpoint: cannot write ${nowhere}: `,
  )
  await expect(saveNetwork(nowhere, buildNetwork(config), { ...config, lr: -1 })).rejects.toThrow(RangeError)
})
