/**
 * The best model of a run that is continued: what the result and the state say of best.safetensors is true, whatever
 * happened to the file; and continuations in another folder that fail before their first checkpoint.
 */
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { evaluateCheckpoint, type Progress, type TrainConfig, train, withDefaults } from '../../src/train/index.ts'
import { temporaryDirectory } from '../support/data-samples.ts'
import { faultyDisk } from '../support/faulty-disk.ts'

const root = temporaryDirectory()
afterAll(root.remove)
const newFolder = () => mkdtempSync(join(root.path, 'run-'))

const config = withDefaults({
  ...{ depth: 5, primaryPartition: 2, secondaryPartition: 2, trainExamples: 64, testExamples: 60, batchSize: 16 },
  ...{ numEpochs: 8, lrSteps: [], threads: 1 },
})

/** The run that is continued, with the epochs that were the best so far. */
const whole = newFolder()
const bests: number[] = []
await train(config, {
  runDir: whole,
  onProgress: told => {
    if (told.kind === 'epoch' && told.best) bests.push(told.epoch)
  },
})

/** Trains until a best epoch that no checkpoint knows, as if the process was killed behind it. */
async function killedAfterBest(): Promise<{ runDir: string; checkpointed: number }> {
  const runDir = newFolder()
  const late = bests.at(-1) as number
  const onProgress = (told: Progress) => {
    if (told.kind === 'step' && told.epoch > late) throw new Error('killed')
  }
  await expect(train({ ...config, checkpointEpochs: late }, { runDir, onProgress })).rejects.toThrow('killed')
  return { runDir, checkpointed: late }
}

/** Continues a run; what it says of the best model is what the file is. */
async function resume(runDir: string, over: Partial<TrainConfig> = {}, source = runDir) {
  const result = await train({ ...config, ...over }, { runDir, resume: source })
  if (result.best) expect((await evaluateCheckpoint(result.best.path)).top1).toBe(result.best.testTop1)
  return result
}

test('the tested run has a best epoch behind its first ones', () => {
  expect(bests.at(-1)).toBeGreaterThan(1)
  expect(bests.at(-1)).toBeLessThan(7)
})

test('a best model that is newer than the checkpoint is not taken for its best one', async () => {
  const { runDir, checkpointed: numEpochs } = await killedAfterBest()
  expect((await resume(runDir, { numEpochs })).best?.epoch ?? -1).toBeLessThan(numEpochs)
  expect(await resume(runDir)).toMatchObject({ best: { epoch: bests.at(-1) } })
})

test('nor is a model that is missing, empty or of another run; the last one is the best where it was that', async () => {
  const { best } = await train(config, { runDir: newFolder() })
  const other = await train({ ...config, randSeed: 1, numEpochs: 1 }, { runDir: newFolder() })
  const changes = [
    rmSync,
    (path: string) => writeFileSync(path, ''),
    (path: string) => copyFileSync(other.best?.path as string, path),
  ]
  for (const change of changes) {
    const runDir = newFolder()
    cpSync(whole, runDir, { recursive: true })
    change(join(runDir, 'best.safetensors'))
    expect((await resume(runDir)).best).toBe(null)
    expect((await resume(runDir, { numEpochs: 9 })).best).toMatchObject({ epoch: 8 })
    const short = newFolder()
    await train({ ...config, numEpochs: (best?.epoch as number) + 1 }, { runDir: short })
    change(join(short, 'best.safetensors'))
    expect((await resume(short, { numEpochs: (best?.epoch as number) + 1 })).best).toMatchObject({ epoch: best?.epoch })
    expect((await resume(newFolder(), {}, short)).best).toMatchObject({ epoch: best?.epoch })
  }
})

test('a state that does not say which model was the best takes the file', async () => {
  const runDir = newFolder()
  cpSync(whole, runDir, { recursive: true })
  const path = join(runDir, 'last.state.safetensors')
  const text = readFileSync(path, 'latin1')
  const older = text.replace(/,\\"weightsSha256\\":\\"[0-9a-f]{64}\\"/, match => ' '.repeat(match.length))
  expect(older).not.toBe(text)
  writeFileSync(path, older.replace('metadataSha256', 'metadataSha25X'), 'latin1')
  expect((await resume(runDir)).best?.epoch).toBe(bests.at(-1))
})

test('in another folder: what fails before the first checkpoint does not pass for a run, and can be repeated', async () => {
  const probe = faultyDisk('full', Number.POSITIVE_INFINITY)
  await train({ ...config, numEpochs: 9 }, { runDir: newFolder(), resume: whole, disk: probe })
  const counts = probe.operations.indexOf('rename last.state.safetensors')
  expect(counts).toBeGreaterThan(0)
  for (let at = 0; at <= counts + 4; at++) {
    const runDir = newFolder()
    const disk = faultyDisk('crash before', at)
    await expect(train({ ...config, numEpochs: 9 }, { runDir, resume: whole, disk })).rejects.toThrow('ENOSPC')
    const began: number[] = []
    const onProgress = (told: Progress) => {
      if (told.kind === 'step') began.push(told.epoch)
    }
    const again = (source: string) => train({ ...config, numEpochs: 9 }, { runDir, resume: source, onProgress })
    const step = `operation ${at}: ${disk.operations[at]}`
    if (at <= counts) {
      const message = existsSync(join(runDir, 'config.json'))
        ? 'resume: expected last.state.safetensors in'
        : 'expected a run in'
      await expect(again(runDir), step).rejects.toThrow(message)
    }
    expect((await again(at <= counts ? whole : runDir)).epochs, step).toBe(9)
    expect(new Set(began), step).toEqual(new Set([8]))
  }
})
