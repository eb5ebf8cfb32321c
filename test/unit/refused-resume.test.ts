/** Runs that are refused: a configuration that was edited, an end that is past, data that cannot be read. */
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { withDefaults } from '../../src/train/config.ts'
import { train } from '../../src/train/trainer.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const root = temporaryDirectory()
afterAll(root.remove)
const newFolder = () => mkdtempSync(join(root.path, 'run-'))

/** Three epochs of two steps. */
const config = withDefaults({
  ...{ depth: 5, primaryPartition: 2, secondaryPartition: 2, threads: 1 },
  ...{ trainExamples: 32, testExamples: 10, batchSize: 16, numEpochs: 3 },
})
/** A run that stands in the middle of its second epoch. */
const runDir = newFolder()
const last = join(runDir, 'last.safetensors')
beforeAll(async () => {
  const stop = new AbortController()
  let steps = 0
  await train(config, {
    runDir,
    signal: stop.signal,
    onProgress: ({ kind }) => void (kind === 'step' && ++steps === 3 && stop.abort()),
  })
})

test('an end before the epoch in whose middle a run stands is an error', async () => {
  const message = `resume: expected numEpochs of 2 or more, as ${last} stands in the middle of epoch 2, but received 1`
  await expect(train({ ...config, numEpochs: 1 }, { runDir, resume: runDir })).rejects.toThrow(new RangeError(message))
})

test('a config.json that is not that of the checkpoint is an error', async () => {
  const edited = { ...config, lr: 0.5 }
  writeFileSync(join(runDir, 'config.json'), JSON.stringify(edited))
  await expect(train(edited, { runDir, resume: runDir })).rejects.toThrow(
    new DataError(`resume: expected the lr 0.1 of ${last} in config.json but found 0.5`),
  )
})

test('data that cannot be read leave no run', async () => {
  const folder = join(newFolder(), 'run')
  const given = { ...config, dataset: 'cifar10' as const, dataDir: newFolder() }
  await expect(train(given, { runDir: folder })).rejects.toThrow(DataError)
  expect(existsSync(folder)).toBe(false)
})
