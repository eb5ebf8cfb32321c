/**
 * The training loop: against the same training written out in a few lines, its metrics recomputed, stopping and resuming
 * at every step, memory, and everything that can go wrong. With killed processes: test/train/resume.test.ts.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { digits } from '../../src/data/index.ts'
import { memory, synchronize } from '../../src/device.ts'
import { DataError, IgcError } from '../../src/errors.ts'
import { crossEntropy } from '../../src/nn/index.ts'
import { sgd } from '../../src/optim/index.ts'
import { scope } from '../../src/scope.ts'
import { readModel } from '../../src/train/checkpoint.ts'
import { type TrainConfig, withDefaults } from '../../src/train/config.ts'
import { type Disk, disk } from '../../src/train/disk.ts'
import { evaluateCheckpoint, readConfig } from '../../src/train/evaluate.ts'
import { buildNetwork, readTensors } from '../../src/train/network.ts'
import type { TrainOptions } from '../../src/train/options.ts'
import type { Progress } from '../../src/train/progress.ts'
import { hashTensors } from '../../src/train/safetensors.ts'
import { train } from '../../src/train/trainer.ts'
import { temporaryDirectory } from '../support/data-samples.ts'
import { nameOf } from '../support/faulty-disk.ts'

const root = temporaryDirectory()
afterAll(root.remove)
const newFolder = () => mkdtempSync(join(root.path, 'run-'))

/** Three epochs of four steps. */
const config = withDefaults({
  depth: 5,
  primaryPartition: 2,
  secondaryPartition: 2,
  trainExamples: 70,
  testExamples: 50,
  batchSize: 16,
  testBatchSize: 20,
  numEpochs: 3,
  augType: 'paper',
  labelSmoothing: 0.1,
  threads: 1,
  randSeed: 5,
})

function run(over: Partial<TrainConfig> = {}, options: Partial<TrainOptions> = {}) {
  return train({ ...config, ...over }, { runDir: newFolder(), ...options })
}

/** Stops a run after its first `steps` steps. */
function stopAfter(steps: number, over: Partial<TrainConfig> = {}, options: Partial<TrainOptions> = {}) {
  const stop = new AbortController()
  let seen = 0
  const onProgress = ({ kind }: Progress) => {
    if (kind === 'step' && ++seen === steps) stop.abort()
  }
  return run(over, { ...options, signal: stop.signal, onProgress })
}

/** A disk that has no space for this file. */
function diskFullAt(file: string): Disk {
  const write: Disk['write'] = async (path, parts) => {
    if (nameOf(path) === `${file}.tmp`) throw new Error('ENOSPC: no space left on device')
    await disk.write(path, parts)
  }
  return { ...disk, write }
}

const jsonl = (folder: string) =>
  readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

/** The rows without what depends on the clock. */
const untimed = (folder: string) => jsonl(folder).map(({ seconds: _, imagesPerSecond: __, ...rest }) => rest)

const whole = await run()

describe('a whole run', () => {
  test('equals the training written out in a few lines', async () => {
    const net = buildNetwork(config)
    const loader = digits({ split: 'train', batchSize: 16, augment: true, seed: 5, examples: 70 })
    const optimiser = sgd(net.parameters(), { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 })
    const means: number[] = []
    for (const lr of [0.1, 0.1, 0.1 * 0.1]) {
      optimiser.lr = lr
      const losses: number[] = []
      for await (const { images, labels } of loader) {
        using _step = scope()
        const loss = crossEntropy(net.forward(images), labels, { labelSmoothing: 0.1 })
        loss.backward()
        optimiser.step()
        losses.push(loss.dataSync()[0] as number)
      }
      expect(losses).toHaveLength(4)
      means.push(losses.reduce((sum, loss) => sum + loss, 0) / 4)
    }
    await loader.close()
    expect(whole.weightsSha256).toBe(hashTensors(await readTensors(Object.entries(net.state()))))
    expect(jsonl(whole.runDir).map(row => row.trainLoss)).toEqual(means)
    net.dispose()
    optimiser.dispose()
  })

  test('its result is that of the last row and of the files', async () => {
    const rows = jsonl(whole.runDir)
    expect(rows).toHaveLength(3)
    const { trainLoss, trainTop1, testLoss, testTop1, testTop5 } = rows[2]
    expect(whole).toMatchObject({ trainLoss, trainTop1, testLoss, testTop1, testTop5 })
    expect(whole).toMatchObject({ epochs: 3, steps: 12, stopped: false })
    expect(rows.map(row => row.lr)).toEqual([0.1, 0.1, 0.1 * 0.1])
    expect((await readModel(whole.checkpoint)).weightsSha256).toBe(whole.weightsSha256)
    const best = Math.max(...rows.map(row => row.testTop1))
    const epoch = rows.findIndex(row => row.testTop1 === best)
    expect(whole.best).toEqual({ epoch, testTop1: best, path: join(whole.runDir, 'best.safetensors') })
    expect(whole.imagesPerSecond).toBeGreaterThan(0)
    expect(whole.seconds).toBeCloseTo(rows.reduce((sum, row) => sum + row.seconds, 0))
    expect(readdirSync(whole.runDir).sort()).toEqual([
      'best.safetensors',
      'config.json',
      'curves.svg',
      'last.safetensors',
      'last.state.safetensors',
      'metrics.csv',
      'metrics.jsonl',
    ])
  })

  test('its test metrics come out again from the checkpoint, whatever the batch size', async () => {
    for (const testBatchSize of [20, 50, 7]) {
      const found = await evaluateCheckpoint(whole.checkpoint, { config: { testBatchSize } })
      expect(found.examples).toBe(50)
      expect(found.top1).toBe(whole.testTop1)
      expect(found.top5).toBe(whole.testTop5)
      expect(found.loss).toBeCloseTo(whole.testLoss, 5)
    }
    const best = await evaluateCheckpoint(whole.runDir)
    expect(best.model).toBe(whole.best?.path)
    expect(best.top1).toBe(whole.best?.testTop1)
  })

  test('the same seed gives the same bits, another one does not', async () => {
    expect((await run()).weightsSha256).toBe(whole.weightsSha256)
    expect((await run({ randSeed: 6 })).weightsSha256).not.toBe(whole.weightsSha256)
  })

  test('tells of every step, epoch and checkpoint', async () => {
    const told: Progress[] = []
    await run({ checkpointEpochs: 2 }, { onProgress: progress => told.push(progress) })
    const steps = told.flatMap(progress => (progress.kind === 'step' ? [progress] : []))
    expect(steps.map(({ epoch, step }) => [epoch, step])).toEqual([0, 1, 2].flatMap(e => [1, 2, 3, 4].map(s => [e, s])))
    expect(steps.at(-1)).toMatchObject({
      epochs: 3,
      steps: 4,
      lr: 0.1 * 0.1,
      loss: whole.trainLoss,
      top1: whole.trainTop1,
    })
    for (const { imagesPerSecond, secondsLeft } of steps) {
      expect(imagesPerSecond).toBeGreaterThan(0)
      expect(secondsLeft).toBeGreaterThanOrEqual(0)
    }
    const others = told.filter(({ kind }) => kind !== 'step').map(({ kind }) => kind)
    expect(others).toEqual(['checkpoint', 'epoch', 'epoch', 'checkpoint', 'epoch', 'checkpoint'])
  })

  test('learns: the digits with a small network', async () => {
    const small = {
      network: 'plain',
      primaryPartition: 8,
      secondaryPartition: 1,
      augType: 'none',
      labelSmoothing: 0,
    } as const
    const all = { trainExamples: undefined, testExamples: undefined }
    const result = await run({ ...small, ...all, lrSteps: [2] })
    expect(result.testTop1).toBeGreaterThan(75)
    expect(result.testTop5).toBeGreaterThan(result.testTop1)
    expect(result.trainLoss).toBeLessThan(1)
  })
})

describe('stopping and resuming', () => {
  test.each([1, 2, 3, 4, 5, 8, 11])('after %i steps: the same bits as without', async steps => {
    const stopped = await stopAfter(steps)
    expect(stopped).toMatchObject({ stopped: true, epochs: Math.floor(steps / 4.5) })
    expect(stopped.steps).toBeGreaterThanOrEqual(steps)
    expect(stopped.steps).toBeLessThanOrEqual(steps + 1)
    expect((await readModel(stopped.checkpoint)).weightsSha256).toBe(stopped.weightsSha256)
    const { runDir } = stopped
    const resumed = await run({}, { runDir, resume: steps % 2 ? runDir : stopped.checkpoint })
    expect(resumed.weightsSha256).toBe(whole.weightsSha256)
    expect(resumed).toMatchObject({ stopped: false, epochs: 3, steps: 12, best: { testTop1: whole.best?.testTop1 } })
    expect(untimed(runDir)).toEqual(untimed(whole.runDir))
  })

  test('again and again, each time after two steps', async () => {
    const runDir = newFolder()
    let result = await stopAfter(2, {}, { runDir })
    for (let i = 0; i < 20 && result.stopped; i++) result = await stopAfter(2, {}, { runDir, resume: runDir })
    expect(result).toMatchObject({ stopped: false, weightsSha256: whole.weightsSha256 })
    expect(untimed(runDir)).toEqual(untimed(whole.runDir))
  })

  test('during an evaluation', async () => {
    const stop = new AbortController()
    const onProgress = (p: Progress) => {
      if (p.kind === 'step' && p.step === 4 && p.epoch === 1) setImmediate(() => stop.abort())
    }
    const { runDir, steps, epochs } = await run({ testExamples: 359 }, { signal: stop.signal, onProgress })
    expect({ steps, epochs }).toEqual({ steps: 8, epochs: 1 })
    const resumed = await run({ testExamples: 359 }, { runDir, resume: runDir })
    expect(resumed.weightsSha256).toBe(whole.weightsSha256)
  })

  test('before the first step', async () => {
    const stopped = await run({}, { signal: AbortSignal.abort() })
    expect(stopped).toMatchObject({ stopped: true, steps: 0, epochs: 0, best: null, testTop1: Number.NaN })
    const { runDir } = stopped
    expect((await run({}, { runDir, resume: runDir })).weightsSha256).toBe(whole.weightsSha256)
  })

  test('in another folder, with all that belongs to the run', async () => {
    const { runDir: resume } = await stopAfter(6)
    const before = readdirSync(resume).map(name => readFileSync(join(resume, name)))
    const result = await run({}, { resume })
    expect(result.weightsSha256).toBe(whole.weightsSha256)
    expect(untimed(result.runDir)).toEqual(untimed(whole.runDir))
    expect(existsSync(result.best?.path ?? '')).toBe(true)
    expect(readdirSync(resume).map(name => readFileSync(join(resume, name)))).toEqual(before)
  })

  test('a run that is finished stays as it is; more epochs continue it', async () => {
    const { runDir } = await run({ numEpochs: 2, lrSteps: config.lrSteps })
    const again = await run({ numEpochs: 2, lrSteps: config.lrSteps }, { runDir, resume: runDir })
    expect(again).toMatchObject({ steps: 8, stopped: false })
    const longer = await run({}, { runDir, resume: runDir })
    expect(longer.weightsSha256).toBe(whole.weightsSha256)
    expect((await readConfig(runDir)).numEpochs).toBe(3)
  })

  test('another configuration is an error that names the difference', async () => {
    const { runDir } = await stopAfter(1)
    await expect(run({ lr: 0.2 }, { runDir, resume: runDir })).rejects.toThrow(
      expect.objectContaining({
        name: 'RangeError',
        message: `resume: expected the lr 0.1 of the run in ${runDir} but received 0.2`,
      }),
    )
    await expect(run({ threads: 2 }, { runDir, resume: runDir })).rejects.toThrow('the threads 1 of the run')
    await expect(run({ testExamples: 7 }, { runDir, resume: runDir })).rejects.toThrow(
      new RangeError(
        `resume: expected ${config.testExamples ? `the testExamples ${config.testExamples}` : 'no testExamples'} of the run in ${runDir} but received 7`,
      ),
    )
    const same = await run({ precision: 'f32' }, { runDir, resume: runDir }) // which is the default
    expect(same.weightsSha256).toBe(whole.weightsSha256)
  })

  test('what is no run is an error', async () => {
    const folder = newFolder()
    await expect(run({}, { resume: folder })).rejects.toThrow(`run folder: expected a run in ${folder} but`)
    await expect(run({}, { resume: whole.best?.path })).rejects.toThrow('resume: expected a run folder or its last')
    await expect(run({}, { resume: join(folder, 'missing') })).rejects.toThrow(
      'resume: expected a run folder or its last',
    )
  })

  test('a run that was killed before its first checkpoint starts again', async () => {
    const runDir = newFolder()
    writeFileSync(join(runDir, 'config.json'), JSON.stringify(config))
    expect((await run({}, { runDir, resume: runDir })).weightsSha256).toBe(whole.weightsSha256)
  })

  test('a position that does not fit the data is an error', async () => {
    const { runDir } = await stopAfter(1)
    const path = join(runDir, 'last.state.safetensors')
    const text = readFileSync(path, 'latin1')
    const changed = text.replace(/(\\"steps\\":)\d(,\\"partial)/, '$19$2').replace('metadataSha256', 'metadataSha25X')
    expect(changed).not.toBe(text)
    writeFileSync(path, changed, 'latin1')
    await expect(run({}, { runDir, resume: runDir })).rejects.toThrow(
      /^checkpoint: expected [12] steps at batch [12] of 4 in epoch 0 .* but received 9/,
    )
  })
})

describe('what can go wrong', () => {
  test('a loss that is not finite ends the run and keeps the checkpoint', async () => {
    const over = { batchSize: 4, lrSteps: [], lr: 1000, momentum: 1, weightDecay: 1 }
    const { runDir, weightsSha256: kept } = await stopAfter(1, over)
    const error = await run(over, { runDir, resume: runDir }).catch(e => e)
    expect(error).toBeInstanceOf(IgcError)
    expect(error.code).toBe('ERR_IGC_DIVERGED')
    expect(error.message).toMatch(
      /^train: expected a finite loss but received (NaN|Infinity) in step \d+ of epoch \d+ /,
    )
    expect((await readModel(join(runDir, 'last.safetensors'))).weightsSha256).toBe(kept)
  })

  test('a run folder that cannot be written to is found before the first step', async () => {
    const file = join(newFolder(), 'file')
    writeFileSync(file, '')
    const told: Progress[] = []
    const error = await run({}, { runDir: join(file, 'run'), onProgress: p => told.push(p) }).catch(e => e)
    expect(error).toBeInstanceOf(DataError)
    expect(error.message).toMatch(/^run folder: cannot write to /)
    expect(told).toEqual([])
  })

  test('a disk that is full at a checkpoint: one clear error, the old checkpoint is whole', async () => {
    const stopped = await stopAfter(2)
    const { runDir } = stopped
    for (const file of ['best.safetensors', 'last.safetensors', 'last.state.safetensors']) {
      const disk = diskFullAt(file)
      const error = await run({}, { runDir, resume: runDir, disk }).catch(e => e)
      expect(error).toBeInstanceOf(DataError)
      expect(error.message).toMatch(/^checkpoint: cannot write .*: ENOSPC: no space left on device; .* is whole$/)
      expect((await readModel(join(runDir, 'last.safetensors'))).weightsSha256).toBe(stopped.weightsSha256)
      expect(readdirSync(runDir).filter(name => name.endsWith('.tmp'))).toEqual([])
    }
    expect((await run({}, { runDir, resume: runDir })).weightsSha256).toBe(whole.weightsSha256)
  })

  test('a new run in a folder with a checkpoint', async () => {
    await expect(run({}, { runDir: whole.runDir })).rejects.toThrow(`${whole.runDir} has a checkpoint`)
  })

  test('a depth that does not fit, before a folder is made', async () => {
    const runDir = join(newFolder(), 'run')
    await expect(run({ depth: 6 }, { runDir })).rejects.toThrow(RangeError)
    expect(existsSync(runDir)).toBe(false)
  })

  test('missing CIFAR files, before a folder is made', async () => {
    const runDir = join(newFolder(), 'run')
    await expect(run({ dataset: 'cifar10', dataDir: newFolder() }, { runDir })).rejects.toThrow(
      /^cifar10: expected data_b/,
    )
    expect(existsSync(runDir)).toBe(false)
  })

  test('what a progress handler throws ends the run', async () => {
    const onProgress = () => {
      throw new Error('enough')
    }
    await expect(run({}, { onProgress })).rejects.toThrow('enough')
  })

  test.each(['step', 'epoch', 'checkpoint'])('what its promise is rejected with, too: %s', async at => {
    const onProgress = async ({ kind }: Progress) => {
      await Promise.resolve()
      if (kind === at) throw new Error('enough')
    }
    await expect(run({}, { onProgress })).rejects.toThrow('enough')
  })

  test('the run waits for its promise', async () => {
    let [running, most] = [0, 0]
    const onProgress = async () => {
      most = Math.max(most, ++running)
      await new Promise(resolve => setTimeout(resolve, 20))
      running--
    }
    await run({ numEpochs: 1, lrSteps: [] }, { onProgress })
    expect([running, most]).toEqual([0, 1])
  })

  test('an aborted evaluation is rejected with the reason', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(evaluateCheckpoint(whole.checkpoint, { signal })).rejects.toThrow('enough')
  })

  test('a missing and a damaged model', async () => {
    const folder = newFolder()
    await expect(evaluateCheckpoint(folder)).rejects.toThrow(
      `checkpoint: expected best.safetensors or last.safetensors in ${folder}`,
    )
    const path = join(folder, 'last.safetensors')
    writeFileSync(path, readFileSync(whole.checkpoint).subarray(0, 5000))
    await expect(evaluateCheckpoint(folder)).rejects.toThrow(/^safetensors: expected \d+ bytes of values/)
  })
})

test('memory is flat from epoch to epoch and free afterwards', async () => {
  const before = memory().allocations
  const seen: number[] = []
  const onProgress = ({ kind }: Progress) => {
    synchronize() // what ran has let its memory go
    if (kind === 'checkpoint') seen.push(memory().allocations)
  }
  await run({ numEpochs: 5 }, { onProgress })
  expect(new Set(seen).size).toBe(1)
  await expect(run({}, { resume: whole.runDir, disk: diskFullAt('best.safetensors') })).rejects.toThrow(DataError)
  expect(memory().allocations).toBe(before)
})
