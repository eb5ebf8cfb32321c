/** Recorded passes of inference: the bits of `net.forward`, sizes and weights that change, networks that are gone, errors. */
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { noGrad } from '../../src/autograd.ts'
import { memory } from '../../src/device.ts'
import { DisposedError, models, ShapeError, train } from '../../src/index.ts'
import { scope } from '../../src/scope.ts'
import { type TensorOptions, tensor } from '../../src/tensor.ts'
import { syntheticBatch } from '../../src/train/benchmark.ts'

const device = (process.env.IGCNET_TEST_DEVICE ?? 'cpu') as 'cpu'
const build = (options: object = {}) =>
  models.resnetIgc({
    ...{ depth: 8, primaryPartitions: 4, secondaryPartitions: 2, classes: 10, seed: 3, device },
    ...options,
  })

/** Images of a size, others for each seed. */
const images = (count: number, seed = 0) => syntheticBatch(count, 10).images.map(x => x + seed / 8)

const here: TensorOptions<'f32' | 'f64'> = { device, dtype: 'f32' }
/** What the network itself says of a batch, in inference mode. */
function forward(net: ReturnType<typeof build>, values: Float32Array, place = here): number[] {
  using _inner = scope()
  const training = net.training
  net.eval()
  const logits = noGrad(() => net.forward(tensor(values, [values.length / 3072, 32, 32, 3], place)))
  net.train(training)
  return [...logits.dataSync()]
}

describe('inference', () => {
  it('gives the bits of forward, recorded from the second pass of a size on, however many are asked for at once', async () => {
    using net = build()
    using inference = train.inference(net)
    const sizes = [3, 3, 3, 2, 3, 3, 3]
    const batches = sizes.map(images)
    const recorded: boolean[] = []
    const passes = batches.map((batch, i) => {
      const pass = inference.logits(batch, [sizes[i] as number, 32, 32, 3])
      recorded.push(inference.recorded)
      return pass
    })
    const found = (await Promise.all(passes)).map(logits => [...logits])
    expect(found).toEqual(batches.map(batch => forward(net, batch)))
    const isKept = device.startsWith('cuda') // through other sizes
    expect(recorded).toEqual([false, true, true, false, isKept, true, true])
    expect(net.training).toBe(true)
  })

  it('follows weights that change', async () => {
    using net = build()
    using other = build({ seed: 4 })
    using inference = train.inference(net)
    const batch = images(2)
    for (let i = 0; i < 3; i++) await inference.logits(batch, [2, 32, 32, 3])
    net.loadState(other.state())
    expect([...(await inference.logits(batch, [2, 32, 32, 3]))]).toEqual(forward(other, batch))
    expect(inference.recorded).toBe(true)
  })

  it('refuses when the network or it is gone, and gives the memory back', async () => {
    const before = memory(device).bytesInUse
    const net = build()
    const inference = train.inference(net)
    for (let i = 0; i < 3; i++) await inference.logits(images(2), [2, 32, 32, 3])
    net.dispose()
    await expect(inference.logits(images(2), [2, 32, 32, 3])).rejects.toThrow(DisposedError)
    expect(memory(device).bytesInUse).toBe(before)
    inference.dispose()
    inference.dispose()
    const gone = /^inference: expected one that was not disposed of$/
    await expect(inference.logits(images(2), [2, 32, 32, 3])).rejects.toThrow(gone)
  })

  it('takes images of another realm', async () => {
    using net = build()
    using inference = train.inference(net)
    const batch = images(1)
    const foreign: Float32Array = runInNewContext('values => Float32Array.from(values)')(batch)
    expect(foreign).not.toBeInstanceOf(Float32Array)
    for (let i = 0; i < 3; i++) {
      expect([...(await inference.logits(foreign, [1, 32, 32, 3]))]).toEqual(forward(net, batch))
    }
  })

  it('names what is wrong with images, before and after a recording, and goes on', async () => {
    using net = build()
    using inference = train.inference(net)
    for (let i = 0; i < 3; i++) {
      await expect(inference.logits([1, 2] as unknown as Float32Array, [1, 32, 32, 3])).rejects.toThrow(
        /^inference: expected a Float32Array of images but received an array/,
      )
      await expect(inference.logits(images(1), [2, 32, 32, 3])).rejects.toThrow(ShapeError)
      await expect(inference.logits(images(2), [2, 32, 32, 1])).rejects.toThrow(ShapeError)
      for (const seed of [0, 1, 2]) {
        const batch = images(2, seed)
        expect([...(await inference.logits(batch, [2, 32, 32, 3]))]).toEqual(forward(net, batch))
      }
      expect(inference.recorded).toBe(true)
    }
  })

  if (device === 'cpu') {
    it('of a network of f64 is not recorded', async () => {
      const place = { device: 'reference', dtype: 'f64' } as const
      using net = build(place)
      using inference = train.inference(net)
      const passes = []
      for (const seed of [0, 1, 2]) passes.push([...(await inference.logits(images(1, seed), [1, 32, 32, 3]))])
      expect(passes).toEqual([0, 1, 2].map(seed => forward(net, images(1, seed), place)))
      expect(inference.recorded).toBe(false)
    })
  }
})
