/** Networks that were trained in half precision, which is for cuda: on another device they are evaluated, read and written. */
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { buildNetwork, evaluateCheckpoint, loadNetwork, saveNetwork, withDefaults } from '../../src/train/index.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const { path: folder, remove } = temporaryDirectory()
afterAll(remove)

it.each(['bf16', 'f16'] as const)('%s', async precision => {
  const small = { depth: 5, primaryPartition: 2, testExamples: 20, threads: 1 }
  const config = withDefaults({ ...small, device: 'cuda', precision })
  const path = join(folder, precision)
  await saveNetwork(path, buildNetwork({ ...config, device: 'cpu' }), config)
  const evaluation = await evaluateCheckpoint(path, { config: { device: 'cpu' } })
  expect(evaluation).toMatchObject({ examples: 20, config: { device: 'cpu', threads: 1 } })
  expect(evaluation.config).not.toHaveProperty('precision')
  const { net, config: loaded } = await loadNetwork(path)
  expect(withDefaults(loaded)).toEqual(withDefaults(small))
  await saveNetwork(path, net, loaded)
  expect((await loadNetwork(path)).config).toEqual(loaded)
})
