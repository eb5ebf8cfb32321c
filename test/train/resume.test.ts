/**
 * Runs that are killed with SIGKILL and resumed end with the same bits as one that was not. One run is killed again and
 * again: at exact steps, before, within and after every operation that writes a checkpoint, while the traces of an
 * earlier kill are cleared, and at random times. What a kill leaves on the disk is examined each time.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { draw } from '../../src/data/random.ts'
import { BEST, LAST, LAST_STATE, loadCheckpoint, readModel } from '../../src/train/checkpoint.ts'
import { withDefaults } from '../../src/train/config.ts'
import { type TrainResult, train } from '../../src/train/trainer.ts'
import { temporaryDirectory } from '../support/data-samples.ts'
import type { Kill, Task } from './train-process.ts'

const PROCESS = fileURLToPath(new URL('./train-process.ts', import.meta.url))
const folder = temporaryDirectory()
const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  folder.remove()
})

/** Ten epochs of five steps. */
const config = withDefaults({
  depth: 5,
  primaryPartition: 2,
  secondaryPartition: 2,
  trainExamples: 350,
  testExamples: 64,
  numEpochs: 10,
  threads: 2,
})
const runDir = join(folder.path, 'killed')

/** Starts or continues the run in a process; `killAfter`: milliseconds after its first step. */
async function runProcess(kill?: Kill, killAfter?: number): Promise<{ signal: string | null; output: string }> {
  const resume = existsSync(join(runDir, 'config.json')) ? runDir : undefined
  const task: Task = { config, options: { runDir, resume }, kill }
  const child = spawn(process.execPath, ['--import', 'tsx', PROCESS, JSON.stringify(task)])
  children.add(child)
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (output === '' && killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter)
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on('error', reject).on('close', (...end) => resolve(end))
  })
  children.delete(child)
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`the process ended with exit code ${code}: ${errors}`)
  return { signal, output }
}

/** What is on the disk after a kill is whole, and belongs together. */
async function examine(): Promise<void> {
  for (const name of [LAST, BEST]) if (existsSync(join(runDir, name))) await readModel(join(runDir, name))
  if (existsSync(join(runDir, LAST_STATE))) await loadCheckpoint(runDir)
}

/** `write last.safetensors` as the disk sees it. */
const writing = (name: string): Kill => ({ operation: `write ${name}.tmp`, when: 'halfway', nth: 1 })
const renaming = (name: string, when: 'before' | 'after', nth = 1): Kill => ({ operation: `rename ${name}`, when, nth })

/** In this order. The first checkpoint is that before the first step. */
const KILLS: [string, Kill][] = [
  ['within the first file of the run', writing('config.json')],
  ['within the first checkpoint', writing(LAST)],
  ['before the first checkpoint counts', renaming(LAST_STATE, 'before')],
  ['when the first checkpoint counts, before its model is renamed', renaming(LAST_STATE, 'after')],
  ['while the traces of that kill are cleared', renaming(LAST, 'before')],
  ['in the first epoch', { progress: 'step', nth: 3 }],
  ['within the first best model', writing(BEST)],
  ['between the first best model and the checkpoint', renaming(BEST, 'after')],
  ['after the row of an epoch, before its checkpoint', { progress: 'epoch', nth: 1 }],
  ['within the model', writing(LAST)],
  ['within the training state', writing(LAST_STATE)],
  ['when the checkpoint counts', renaming(LAST_STATE, 'after')],
  ['after the traces of that kill were cleared, in the same way in a later epoch', renaming(LAST_STATE, 'after', 2)],
  ['right after a whole checkpoint', { progress: 'checkpoint', nth: 1 }],
  ['in the fourth step after another checkpoint', { progress: 'step', nth: 9 }],
]

test('a run that is killed again and again ends with the same bits', { timeout: 600_000 }, async () => {
  const whole = await train(config, { runDir: join(folder.path, 'whole') })
  for (const [when, kill] of KILLS) {
    expect((await runProcess(kill)).signal, when).toBe('SIGKILL')
    await examine()
  }
  for (let i = 0; i < 3; i++) {
    await runProcess(undefined, draw(1, 1, 0, i)[0] % 60)
    await examine()
  }
  const { signal, output } = await runProcess()
  expect(signal).toBe(null)
  const last = JSON.parse(output.trimEnd().split('\n').at(-1) as string) as TrainResult
  expect(last.weightsSha256).toBe(whole.weightsSha256)
  expect(last).toMatchObject({
    epochs: 10,
    steps: 50,
    stopped: false,
    testLoss: whole.testLoss,
    best: { epoch: whole.best?.epoch },
  })
  for (const name of [LAST, BEST]) {
    const [killed, other] = await Promise.all([runDir, whole.runDir].map(path => readModel(join(path, name))))
    expect(killed?.weightsSha256).toBe(other?.weightsSha256)
  }
  const rows = (path: string) => readFileSync(join(path, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
  const untimed = (path: string) => rows(path).map(row => ({ ...JSON.parse(row), seconds: 0, imagesPerSecond: 0 }))
  expect(untimed(runDir)).toEqual(untimed(whole.runDir))
})
