/**
 * Loader (src/data/loader.ts): options, determinism, resuming in the middle of an epoch, loops that end early, tensors
 * that are disposed, closing. Tensors are stand-ins that count, so that this needs no native code.
 */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { digits } from '../../src/data/digits.ts'
import { Loader } from '../../src/data/loader.ts'
import type { BatchPlan } from '../../src/data/prepare.ts'
import { DisposedError, UnsupportedError } from '../../src/errors.ts'
import type { DeviceName } from '../../src/tensor.ts'
import { collectPrints, hashOf, noiseSource } from '../support/data-samples.ts'

const alive = vi.hoisted(() => new Set<object>())
vi.mock('../../src/tensor.ts', () => ({
  tensor(values: Float32Array | Int32Array, shape: number[], options: object) {
    const made = { values: values.slice(), shape, options, dispose: () => void alive.delete(made) }
    alive.add(made)
    return made
  },
}))

let loaders: Loader[] = []
beforeEach(() => {
  alive.clear()
})
afterEach(async () => {
  await Promise.all(loaders.map(loader => loader.close()))
  loaders = []
})

/** A loader of 20 noise images in batches of 6, shuffled and augmented. */
function noiseLoader(plan: Partial<BatchPlan> = {}, device?: DeviceName): Loader {
  const loader = new Loader({
    name: 'noise',
    plan: { batchSize: 6, shuffle: true, augment: true, dropLast: false, seed: 1, ...plan },
    examples: 20,
    classes: 20,
    classNames: () => undefined,
    mean: [],
    std: [],
    device,
    open: async () => noiseSource(20),
  })
  loaders.push(loader)
  return loader
}

describe('epochs', () => {
  it('hands out every example once an epoch, in another order each time', async () => {
    const loader = noiseLoader()
    const orders: number[][] = []
    for (let epoch = 0; epoch < 3; epoch++) {
      expect(loader.state()).toEqual({ epoch, batch: 0 })
      const batches = await collectPrints(loader.plainBatches())
      expect(batches.map(batch => batch.count)).toEqual([6, 6, 6, 2])
      expect(batches.map(batch => batch.labels.length)).toEqual([6, 6, 6, 2])
      orders.push(batches.flatMap(batch => batch.labels))
    }
    for (const order of orders) expect(order.toSorted((a, b) => a - b)).toEqual(Array.from(Array(20).keys()))
    expect(new Set(orders.map(String)).size).toBe(3)
  })

  it('leaves out the last batch with dropLast', async () => {
    const loader = noiseLoader({ dropLast: true })
    expect(loader.batchesPerEpoch).toBe(3)
    expect((await collectPrints(loader.plainBatches())).map(batch => batch.count)).toEqual([6, 6, 6])
  })

  it('is the same for the same seed and another for another', async () => {
    const [a, b, c] = [noiseLoader(), noiseLoader(), noiseLoader({ seed: 2 })]
    for (let epoch = 0; epoch < 2; epoch++) {
      const expected = await collectPrints(a.plainBatches())
      expect(await collectPrints(b.plainBatches())).toEqual(expected)
      expect(await collectPrints(c.plainBatches())).not.toEqual(expected)
    }
  })

  it('augments anew in each epoch', async () => {
    const loader = noiseLoader({ shuffle: false })
    const [first] = await collectPrints(loader.plainBatches())
    const [second] = await collectPrints(loader.plainBatches())
    expect(second?.labels).toEqual(first?.labels)
    expect(second?.images).not.toEqual(first?.images)
  })

  it('takes the arrays of a batch back', async () => {
    const kept: Float32Array[] = []
    const loader = noiseLoader({ batchSize: 1 })
    for await (const batch of loader.plainBatches()) kept.push(batch.images)
    expect(kept.filter(images => images.length === 0).length).toBeGreaterThan(5)
  })
})

describe('state', () => {
  it('continues in another loader with exactly the next batch, wherever it stopped', { timeout: 60_000 }, async () => {
    const whole = noiseLoader()
    const expected = [await collectPrints(whole.plainBatches()), await collectPrints(whole.plainBatches())]
    const interrupted = noiseLoader()
    for (const epoch of [0, 1]) {
      const resumed = noiseLoader()
      for (const taken of [1, 2, 3, 4]) {
        interrupted.loadState({ epoch, batch: 0 })
        await collectPrints(interrupted.plainBatches(), taken)
        const state = JSON.parse(JSON.stringify(interrupted.state()))
        expect(state).toEqual({ epoch, batch: taken })
        resumed.loadState(state)
        expect(await collectPrints(resumed.plainBatches())).toEqual(expected[epoch]?.slice(taken))
        expect(resumed.state()).toEqual({ epoch: epoch + 1, batch: 0 })
      }
    }
  })

  it('counts the batch in work as handed out, and the epoch as over after the loop', async () => {
    const loader = noiseLoader()
    const states = []
    for await (const _ of loader.plainBatches()) states.push(loader.state())
    expect(states).toEqual([1, 2, 3, 4].map(batch => ({ epoch: 0, batch })))
    expect(loader.state()).toEqual({ epoch: 1, batch: 0 })
  })

  it('starts the next epoch after a loop that was left early', async () => {
    const whole = noiseLoader()
    await collectPrints(whole.plainBatches())
    const second = await collectPrints(whole.plainBatches())
    const loader = noiseLoader()
    await collectPrints(loader.plainBatches(), 2)
    expect(loader.state()).toEqual({ epoch: 0, batch: 2 })
    expect(await collectPrints(loader.plainBatches())).toEqual(second)
  })

  it('goes on with the interrupted epoch if its own state is loaded', async () => {
    const expected = await collectPrints(noiseLoader().plainBatches())
    const loader = noiseLoader()
    await collectPrints(loader.plainBatches(), 2)
    loader.loadState(loader.state())
    expect(await collectPrints(loader.plainBatches())).toEqual(expected.slice(2))
  })

  it('goes back to an earlier epoch', async () => {
    const loader = noiseLoader()
    const expected = await collectPrints(loader.plainBatches())
    await collectPrints(loader.plainBatches())
    loader.loadState({ epoch: 0, batch: 0 })
    expect(await collectPrints(loader.plainBatches())).toEqual(expected)
  })

  it.each([
    [undefined, TypeError, "noise: expected a state with a number 'epoch' but received undefined"],
    [{ epoch: 1 }, TypeError, "noise: expected a state with a number 'batch' but received undefined"],
    [
      { epoch: -1, batch: 0 },
      RangeError,
      "noise: expected 'epoch' of a state to be an integer from 0 to 16777215 but received -1",
    ],
    [
      { epoch: 0, batch: 5 },
      RangeError,
      "noise: expected 'batch' of a state to be an integer from 0 to 4 but received 5",
    ],
    [
      { epoch: 0, batch: 0.5 },
      RangeError,
      "noise: expected 'batch' of a state to be an integer from 0 to 4 but received 0.5",
    ],
  ])('refuses the state %j', (state, type, message) => {
    const loader = noiseLoader()
    expect(() => loader.loadState(state as never)).toThrow(new type(message))
  })
})

describe('loops', () => {
  it('ends an older loop with an error when a newer one takes over', async () => {
    const loader = noiseLoader()
    const older = loader.plainBatches()
    await older.next()
    expect((await collectPrints(loader.plainBatches())).length).toBe(4)
    await expect(older.next()).rejects.toThrow(
      new UnsupportedError('noise: expected one loop over a loader at a time but received a newer loop or state'),
    )
    expect(loader.state()).toEqual({ epoch: 2, batch: 0 })
  })

  it('hands the error of the source to the loop, and can be tried again', async () => {
    let works = false
    const loader = new Loader({
      name: 'noise',
      plan: { batchSize: 6, shuffle: false, augment: false, dropLast: false, seed: 0 },
      examples: 20,
      classes: 20,
      classNames: () => undefined,
      mean: [],
      std: [],
      device: undefined,
      open: async () => {
        if (!works) throw new Error('no such thing')
        return noiseSource(20)
      },
    })
    loaders.push(loader)
    await expect(collectPrints(loader.plainBatches())).rejects.toThrow('no such thing')
    works = true
    expect((await collectPrints(loader.plainBatches())).length).toBe(4)
  })

  it('refuses work after close, and ends a waiting loop', async () => {
    const loader = noiseLoader()
    const batches = loader.plainBatches()
    await batches.next()
    await loader.close()
    await loader.close()
    await expect(collectPrints(loader.plainBatches())).rejects.toThrow(
      new DisposedError('noise: expected an open loader but received one that was closed'),
    )
  })
})

describe('tensors', () => {
  it('are made of each batch, on the device, and disposed before the next', async () => {
    const expected = await collectPrints(noiseLoader().plainBatches())
    let i = 0
    for await (const { images, labels } of noiseLoader({}, 'reference')) {
      const batch = expected[i++]
      expect(images).toMatchObject({ shape: [batch?.count, 32, 32, 3], options: { device: 'reference' } })
      expect(labels).toMatchObject({ shape: [batch?.count], options: { device: 'reference' } })
      expect(hashOf((images as unknown as { values: Float32Array }).values)).toBe(batch?.images)
      expect(Array.from((labels as unknown as { values: Int32Array }).values)).toEqual(batch?.labels)
      expect(alive).toEqual(new Set([images, labels]))
    }
    expect(i).toBe(4)
    expect(alive.size).toBe(0)
  })

  it('are disposed when the loop is left', async () => {
    for await (const _ of noiseLoader()) break
    expect(alive.size).toBe(0)
    const failing = async () => {
      for await (const _ of noiseLoader()) throw new Error('in the body')
    }
    await expect(failing()).rejects.toThrow('in the body')
    expect(alive.size).toBe(0)
  })
})

describe('options', () => {
  const good = { split: 'train', batchSize: 64 } as const
  it.each([
    [undefined, TypeError, 'digits: expected an object of options but received undefined'],
    [
      { ...good, split: 'validation' },
      TypeError,
      "digits: expected split to be 'train' or 'test' but received 'validation'",
    ],
    [{ split: 'train' }, TypeError, 'digits: expected batchSize to be a number but received undefined'],
    [
      { ...good, batchSize: 0 },
      RangeError,
      'digits: expected batchSize to be an integer from 1 to 65536 but received 0',
    ],
    [
      { ...good, batchSize: 2.5 },
      RangeError,
      'digits: expected batchSize to be an integer from 1 to 65536 but received 2.5',
    ],
    [{ ...good, seed: -1 }, RangeError, 'digits: expected seed to be a non-negative safe integer but received -1'],
    [
      { ...good, seed: Number.NaN },
      RangeError,
      'digits: expected seed to be a non-negative safe integer but received NaN',
    ],
    [{ ...good, augment: 'yes' }, TypeError, "digits: expected augment to be true or false but received 'yes'"],
    [
      { ...good, examples: 1439 },
      RangeError,
      'digits: expected examples to be an integer from 1 to 1438 (the train split) but received 1439',
    ],
    [
      { ...good, examples: 60 },
      RangeError,
      'digits: expected batchSize at most 60 (the examples, with dropLast) but received 64',
    ],
    [{ ...good, device: 3 }, TypeError, 'digits: expected device to be a string but received 3'],
    [
      { ...good, batchsize: 3 },
      TypeError,
      'digits: expected options split, batchSize, augment, shuffle, seed, dropLast, examples, device but received ' +
        "'batchsize'",
    ],
  ])('refuses %o', (options, type, message) => {
    expect(() => digits(options as never)).toThrow(new type(message))
  })

  it('shuffles and drops by default when training only', () => {
    const train = digits({ split: 'train', batchSize: 100 })
    const test = digits({ split: 'test', batchSize: 100 })
    loaders.push(train, test)
    expect([train.batchesPerEpoch, test.batchesPerEpoch]).toEqual([14, 4])
  })
})

describe('the process', () => {
  it('ends by itself after a loop was left, without close', { timeout: 60_000 }, async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const code = `
      const { BatchQueue } = await import('./src/data/prefetch.ts')
      const { noiseSource } = await import('./test/support/data-samples.ts')
      const plan = { batchSize: 6, shuffle: true, augment: true, dropLast: false, seed: 1 }
      const queue = new BatchQueue(noiseSource(20), plan)
      const batch = await queue.take({ epoch: 0, batch: 0 })
      console.log(batch.count)`
    const args = ['--import', 'tsx', '--input-type=module', '-e', code]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 50_000 })
    expect(stdout).toBe('6\n')
  })
})
