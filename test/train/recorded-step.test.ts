/** Recorded training steps: the same bits as steps that are not, learning rates and sizes that change, dropout. */
import { describe, expect, it } from 'vitest'
import { noGrad } from '../../src/autograd.ts'
import { memory, trim } from '../../src/device.ts'
import { models, optim } from '../../src/index.ts'
import type { Network } from '../../src/models/index.ts'
import { scope } from '../../src/scope.ts'
import { tensor } from '../../src/tensor.ts'
import { syntheticBatch } from '../../src/train/benchmark.ts'
import { readTensors } from '../../src/train/network.ts'
import { Steps } from '../../src/train/step.ts'

const device = (process.env.IGCNET_TEST_DEVICE ?? 'cpu') as 'cpu'
const build = (): Network =>
  models.plainIgc({ depth: 5, primaryPartitions: 4, secondaryPartitions: 2, classes: 10, seed: 3, device })

/** Losses and weights of some steps on batches of these sizes, and which of the steps were recorded ones. */
async function run(record: boolean, sizes: readonly number[], lrs: readonly number[], make = build) {
  const net = make()
  net.train()
  const sgd = optim.sgd(net.parameters(), { lr: 0, momentum: 0.9, nesterov: true, weightDecay: 1e-4 })
  const losses: number[] = []
  const logits: (readonly number[])[] = []
  const recorded: boolean[] = []
  let refused: string | undefined
  {
    using steps = new Steps(net, sgd, { device, labelSmoothing: 0.1, record })
    const batches = sizes.map((size, i) => {
      const batch = syntheticBatch(size, 10)
      return { ...batch, images: batch.images.map(x => x * (1 + i / 10)) }
    })
    const results = batches.map((batch, i) => {
      sgd.lr = lrs[i % lrs.length] as number
      const result = steps.enqueue(batch)
      recorded.push(steps.recorded)
      return result
    })
    for (const { loss, logits: values } of await Promise.all(results)) {
      losses.push(loss)
      logits.push([...values])
    }
    refused = steps.refused
  }
  const state = await readTensors(Object.entries(net.state()))
  const weights = [...state.values()].map(({ data }) => [...data])
  sgd.dispose()
  net.dispose()
  return { losses, logits, weights, recorded, refused }
}

describe('recorded steps', () => {
  it('give the bits of steps that are not recorded', async () => {
    const sizes = Array.from({ length: 8 }, () => 6)
    const [plain, repeated] = [await run(false, sizes, [0.1]), await run(true, sizes, [0.1])]
    expect(plain.recorded).toEqual(sizes.map(() => false))
    expect(repeated.recorded).toEqual(sizes.map((_, i) => i > 0))
    for (const part of ['losses', 'logits', 'weights'] as const) expect(repeated[part]).toEqual(plain[part])
  })

  it('follow sizes and learning rates that change', async () => {
    const sizes = [4, 4, 4, 3, 4, 4, 4, 4, 3]
    const lrs = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]
    const [plain, repeated] = [await run(false, sizes, lrs), await run(true, sizes, lrs)]
    const isKept = device.startsWith('cuda') // through other sizes
    expect(repeated.recorded).toEqual([false, true, true, false, isKept, true, false, true, false])
    expect(repeated.weights).toEqual(plain.weights)
  })

  it('leave networks with dropout as they are, and say why', async () => {
    const sizes = [2, 2, 2]
    const make = () =>
      models.igcv3D({ classes: 10, frame: 'cifar', dropout: 0.5, seed: 1, device }) as unknown as Network
    const results = await run(true, sizes, [0.01], make)
    expect(results.recorded).toEqual([false, false, false])
    expect(results.refused).toBe('dropout would drop the same elements again')
  })

  it('give their memory back', async () => {
    const before = memory(device).bytesInUse
    await run(true, [4, 4, 4], [0.1])
    expect(memory(device).bytesInUse).toBe(before)
  })

  if (!device.startsWith('cuda')) {
    it('take no more memory than steps that are not, other sizes and evaluation included', async () => {
      const peaks: number[] = []
      for (const record of [false, true]) {
        const net = build()
        const sgd = optim.sgd(net.parameters(), { lr: 0.1, momentum: 0.9 })
        using steps = new Steps(net, sgd, { device, labelSmoothing: 0, record })
        trim(device)
        for (const size of [16, 16, 16, 12]) await steps.enqueue(syntheticBatch(size, 10))
        steps.yieldMemory()
        using _inner = scope()
        net.eval()
        await noGrad(() => net.forward(tensor(syntheticBatch(32, 10).images, [32, 32, 32, 3], { device })).data())
        peaks.push(memory(device).bytesReserved)
        sgd.dispose()
        net.dispose()
      }
      const [plain, recorded] = peaks as [number, number]
      expect(recorded).toBeLessThanOrEqual(1.05 * plain)
    })
  }
})
