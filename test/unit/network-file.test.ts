/** Networks in model files: what is written is read, and the text of each error. */
import { execFileSync } from 'node:child_process'
import { lstatSync, symlinkSync } from 'node:fs'
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

it('a link is followed; what is no file, and the network of another configuration, leave what is there', async () => {
  const [path, link, fifo] = ['net', 'link', 'fifo'].map(name => join(folder, name)) as [string, string, string]
  const net = buildNetwork(config)
  await saveNetwork(path, net, config)
  symlinkSync('net', link)
  execFileSync('mkfifo', [fifo])
  net.parameters()[0]?.assign(new Float32Array(net.parameters()[0]?.size ?? 0))
  await saveNetwork(link, net, config)
  expect(lstatSync(link).isSymbolicLink()).toBe(true)
  expect(new Set((await loadNetwork(path)).net.parameters()[0]?.dataSync())).toEqual(new Set([0]))
  await expect(saveNetwork(fifo, net, config)).rejects.toThrow(
    new DataError(`saveNetwork: expected a file but received a FIFO: ${fifo}`),
  )
  expect(lstatSync(fifo).isFIFO()).toBe(true)
  symlinkSync('gone', join(folder, 'astray'))
  await expect(saveNetwork(join(folder, 'astray'), net, config)).rejects.toThrow(
    /received '.*astray', a link to nothing$/,
  )
  await expect(saveNetwork('', net, config)).rejects.toThrow("saveNetwork: expected the path of a file but received ''")
  await expect(saveNetwork(path, net, { ...config, depth: 8 })).rejects.toThrow(
    /^checkpoint: expected f32 \[.*\] for '.*' in the network to save but received nothing$/,
  )
  expect((await loadNetwork(path)).config.depth).toBe(5)
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
