/** Runs and evaluations in one process: each has the bits of its own number of threads, whatever the others set meanwhile. */
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { digits, type Loader } from '../../src/data/index.ts'
import { info, setThreads } from '../../src/device.ts'
import { buildNetwork, evaluate, type TrainConfig, train, withDefaults } from '../../src/train/index.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const { path: folder, remove } = temporaryDirectory()
afterAll(remove)

const config = withDefaults({ depth: 8, primaryPartition: 4, secondaryPartition: 2, trainExamples: 192, numEpochs: 1 })

const runs: Promise<string>[] = []
async function weights(over: Partial<TrainConfig>, meanwhile = () => {}): Promise<string> {
  const options = { runDir: join(folder, `run-${runs.length}`), onProgress: meanwhile }
  const run = train({ ...config, testExamples: 50, ...over }, options).then(({ weightsSha256 }) => weightsSha256)
  runs.push(run)
  return await run
}

/** Networks with layers that oneDNN computes, whose bits depend on the threads: with AVX-512 and, the second, without. */
const networks: Partial<TrainConfig>[] = [{}, { network: 'plain', primaryPartition: 1, secondaryPartition: 5 }]

it('training steps', { timeout: 60_000 }, async () => {
  let alone: string[] = []
  let network: Partial<TrainConfig> = {}
  for (network of networks) {
    alone = [await weights({ ...network, threads: 1 }), await weights({ ...network, threads: 3 })]
    if (new Set(alone).size === 2) break
  }
  expect(new Set(alone).size).toBe(2)
  const [one, three] = [
    { ...network, threads: 1 },
    { ...network, threads: 3 },
  ]
  expect(await Promise.all([weights(one), weights(three)])).toEqual(alone)
  expect(await weights(one, () => setThreads(3))).toBe(alone[0])
})

it('batches of an evaluation', async () => {
  const net = buildNetwork(config)
  const plainBatches = async function* () {
    for await (const batch of digits({ split: 'test', batchSize: 10, examples: 20 }).plainBatches()) {
      setThreads(3)
      yield batch
    }
  }
  await evaluate(net, { plainBatches } as Loader, { threads: 1 })
  expect(info().threads).toBe(1)
  net.dispose()
})
