/** Evaluations, by hand and beside other uses of a network: at the same time, between training steps, with a frozen layer. */
import { expect, test } from 'vitest'
import { digits, type Loader, type PlainBatch } from '../../src/data/index.ts'
import { sgd } from '../../src/optim/index.ts'
import { withDefaults } from '../../src/train/config.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { buildNetwork, readTensors } from '../../src/train/network.ts'
import { hashTensors } from '../../src/train/safetensors.ts'
import { Steps } from '../../src/train/step.ts'
import { collect } from '../support/data-samples.ts'

const config = withDefaults({ depth: 5, primaryPartition: 2, secondaryPartition: 2, threads: 1 })

test('evaluation: the mean over all examples in inference mode, by hand', async () => {
  const net = buildNetwork(config)
  const loader = digits({ split: 'test', batchSize: 50, examples: 50 })
  let [loss, right] = [0, 0]
  net.eval()
  for await (const { images, labels } of loader) {
    const answers = labels.dataSync()
    const logits = net.forward(images).dataSync()
    answers.forEach((label, n) => {
      const row = [...logits.subarray(10 * n, 10 * n + 10)]
      loss += Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - (row[label] as number)
      if (row.indexOf(Math.max(...row)) === label) right++
    })
  }
  net.train()
  const found = await evaluate(net, digits({ split: 'test', batchSize: 16, examples: 50 }))
  expect(net.training).toBe(true)
  expect(found.top1).toBe((100 * right) / 50)
  expect(found.loss).toBeCloseTo(loss / 50, 5)
  net.dispose()
  await loader.close()
})

/** A network, and loaders of ten small batches of the same images. */
function evaluated() {
  const net = buildNetwork(config)
  const loader = () => digits({ split: 'test', batchSize: 5, examples: 50 })
  const state = async () => hashTensors(await readTensors(Object.entries(net.state())))
  return { net, loader, state }
}

test('evaluations of one network at the same time: each as if alone, and the network stays as it was', async () => {
  const { net, loader, state } = evaluated()
  const before = await state()
  const alone = await evaluate(net, loader())
  const short = digits({ split: 'test', batchSize: 5, examples: 10 })
  const [first, second] = await Promise.all([evaluate(net, loader()), evaluate(net, loader()), evaluate(net, short)])
  expect(first).toEqual(alone)
  expect(second).toEqual(alone)
  expect(net.training).toBe(true)
  expect(await state()).toBe(before)
  net.dispose()
})

test('training steps between the batches of an evaluation are those without it', async () => {
  const [batch] = await collect(digits({ split: 'train', batchSize: 16, examples: 16 }).plainBatches())
  const trained = async (isEvaluated: boolean) => {
    const { net, loader, state } = evaluated()
    const optimiser = sgd(net.parameters(), { lr: 0.01, momentum: 0, nesterov: false, weightDecay: 0 })
    using steps = new Steps(net, optimiser, { device: 'cpu', labelSmoothing: 0 })
    const stepping = async function* () {
      for await (const each of loader().plainBatches()) {
        steps.enqueue(batch as PlainBatch)
        yield each
      }
    }
    if (isEvaluated) await evaluate(net, { plainBatches: stepping } as Loader)
    else for await (const _ of stepping());
    const hash = await state()
    optimiser.dispose()
    net.dispose()
    return hash
  }
  expect(await trained(true)).toBe(await trained(false))
})

test('an evaluation leaves a layer that was frozen in inference mode', async () => {
  const { net, loader } = evaluated()
  const [, frozen] = net.namedChildren().at(-1) as [string, { training: boolean; eval(): unknown }]
  frozen.eval()
  await evaluate(net, loader())
  expect([net.training, frozen.training]).toEqual([true, false])
  net.dispose()
})
