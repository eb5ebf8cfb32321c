/** Training that went astray: it ends with an error, and never takes the place of a checkpoint or of the best model. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { IgcError } from '../../src/errors.ts'
import { readModel } from '../../src/train/checkpoint.ts'
import { type TrainConfig, train, withDefaults } from '../../src/train/index.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const { path: folder, remove } = temporaryDirectory()
afterAll(remove)

/** An epoch is one step, whose loss is that of the weights before it. */
const config = withDefaults({
  ...{ depth: 5, primaryPartition: 2, secondaryPartition: 2, trainExamples: 16, batchSize: 16, testExamples: 20 },
  ...{ lr: 1000, weightDecay: 1, lrSteps: [], threads: 1 },
})

/** Trains until the weights are no finite numbers any more. */
async function diverge(name: string, over: Partial<TrainConfig> = {}) {
  const runDir = join(folder, name)
  const error: unknown = await train({ ...config, numEpochs: 100, ...over }, { runDir }).catch(reason => reason)
  expect(error).toBeInstanceOf(IgcError)
  expect(error).toMatchObject({
    code: 'ERR_IGC_DIVERGED',
    message: expect.stringMatching(
      /^train: expected finite values but received (NaN|-?Infinity) in \S+ after \d+ steps; the checkpoint before it stays\. A smaller /,
    ),
  })
  const lastEpoch = Number(/after (\d+) steps/.exec((error as Error).message)?.[1])
  return { runDir, lastEpoch }
}

it('in the last step of an epoch: the files stay, and the run can be continued up to there', async () => {
  const { runDir, lastEpoch } = await diverge('astray')
  for (const name of ['last.safetensors', 'best.safetensors']) {
    for (const { data } of (await readModel(join(runDir, name))).tensors.values()) {
      expect(data.every(value => Number.isFinite(value))).toBe(true)
    }
  }
  const resumed = await train({ ...config, numEpochs: lastEpoch - 1 }, { runDir, resume: runDir })
  expect(resumed).toMatchObject({ epochs: lastEpoch - 1, stopped: false })
})

it('in the last epoch of all: no success, and no row of its metrics', async () => {
  const { lastEpoch } = await diverge('until')
  const { runDir } = await diverge('exactly', { numEpochs: lastEpoch })
  expect(readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(lastEpoch - 1)
})
