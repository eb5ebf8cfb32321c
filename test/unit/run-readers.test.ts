/** Reading run folders: while their run replaces its checkpoint, and after it was continued with data elsewhere. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadCheckpoint, saveBest, saveCheckpoint, storeModel } from '../../src/train/checkpoint.ts'
import { buildNetwork, evaluateCheckpoint, withDefaults } from '../../src/train/index.ts'
import { readTensors } from '../../src/train/network.ts'
import { freshState } from '../../src/train/training-state.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const { path: root, remove } = temporaryDirectory()
afterAll(remove)

const config = withDefaults({ depth: 5, primaryPartition: 2, secondaryPartition: 2, testExamples: 20, threads: 1 })

test('a checkpoint that is replaced again and again is read whole', async () => {
  const folder = join(root, 'replaced')
  mkdirSync(folder)
  const save = (n: number) => {
    const tensors = new Map([['w', { dtype: 'f32' as const, shape: [1], data: Float32Array.of(n) }]])
    return saveCheckpoint(folder, {
      model: storeModel(config, tensors),
      velocities: new Map(),
      state: { ...freshState(), steps: n },
    })
  }
  await save(0)
  let done = false
  const saving = (async () => {
    for (let n = 1; n <= 200; n++) await save(n)
    done = true
  })()
  while (!done) {
    const { model, state } = await loadCheckpoint(folder)
    expect(model.tensors.get('w')?.data[0]).toBe(state.steps)
  }
  await saving
})

test('a run folder is evaluated on the data that its run was told of last, a model file on its own', async () => {
  const [folder, before, after] = ['moved', 'before', 'after'].map(name => join(root, name)) as [string, string, string]
  mkdirSync(folder)
  const stored = { ...config, dataset: 'cifar10' as const, dataDir: before }
  const net = buildNetwork(config)
  await saveBest(folder, storeModel(stored, await readTensors(Object.entries(net.state()))))
  net.dispose()
  const placeOf = (path: string, given = {}) =>
    evaluateCheckpoint(path, { config: given }).then(
      () => 'none',
      error => / in (\S*?),? /.exec(`${error.message} `)?.[1],
    )
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...stored, dataDir: after, lr: 9 }))
  expect(await placeOf(folder)).toContain(after)
  expect(await placeOf(folder, { dataDir: root })).not.toContain(after)
  expect(await placeOf(join(folder, 'best.safetensors'))).toContain(before)
  cpSync(folder, join(root, 'unreadable'), { recursive: true })
  writeFileSync(join(root, 'unreadable', 'config.json'), '{')
  expect(await placeOf(join(root, 'unreadable'))).toContain(before)
})
