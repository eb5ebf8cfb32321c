/** Ctrl-C and SIGTERM: within two seconds a whole checkpoint, and how to go on; the second one at once. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { igcnet, lastJson, start, temporaryFolder, until } from './command-line.ts'
import { tiny } from './tiny-network.ts'

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s stops a run, which then goes on', async (signal, exitCode) => {
  const runDir = join(temporaryFolder(), 'a run')
  const options = [...tiny, '--num-epochs', '100000', '--checkpoint-epochs', '100000', '--run-dir', runDir]
  const { child, outcome, ended } = start(['train', ...options, '--json'])
  await until('the second epoch', () => outcome.stderr.includes('epoch 2/'))
  const before = performance.now()
  child.kill(signal)
  expect(await ended).toMatchObject({ code: exitCode, signal: null })
  expect(performance.now() - before).toBeLessThan(2000)
  const lines = outcome.stderr.trimEnd().split('\n')
  expect(lines).toContain('igcnet: stopping after this step; once more stops at once')
  expect(lines.at(-1)).toMatch(
    /^igcnet: stopped after \d+ of 100000 epochs; this goes on: igcnet train --resume '.*a run'$/,
  )
  const stopped = lastJson(outcome)
  expect(stopped).toMatchObject({ stopped: true, runDir })
  expect(stopped.epochs).toBeGreaterThanOrEqual(2)

  // The checkpoint is of the moment of the signal, and whole.
  const evaluated = await igcnet('evaluate', '--checkpoint', join(runDir, 'last.safetensors'), '--json')
  expect(lastJson(evaluated).weightsSha256).toBe(stopped.weightsSha256)
  const epochs = (stopped.epochs as number) + 2
  const resumed = lastJson(await igcnet('train', '--resume', runDir, '--num-epochs', String(epochs), '--json'))
  expect(resumed).toMatchObject({ epochs, steps: 4 * epochs, stopped: false })
  expect(readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(epochs)
})

test('a second Ctrl-C ends the process at once, in the middle of a long step', async () => {
  const runDir = join(temporaryFolder(), 'run')
  // One step an epoch, which takes the naive device about 6 seconds: once the first epoch is over, the second step runs.
  const { child, outcome, ended } = start([
    ...['train', '--device', 'reference', '--train-examples', '32', '--batch-size', '32', '--test-examples', '1'],
    ...['--checkpoint-epochs', '1000', '--num-epochs', '1000', '--run-dir', runDir, '--json'],
  ])
  await until('the first epoch', () => outcome.stderr.includes('epoch 1/'))
  await new Promise(resolve => setTimeout(resolve, 1000))
  child.kill('SIGINT')
  await until('the first signal', () => outcome.stderr.includes('stopping after this step'))
  await new Promise(resolve => setTimeout(resolve, 300))
  expect(child.exitCode).toBe(null)
  const before = performance.now()
  child.kill('SIGINT')
  await ended
  expect(child.signalCode).toBe('SIGINT') // 130 to a shell
  expect(performance.now() - before).toBeLessThan(1000)
  expect(outcome.stderr).toMatch(/\nigcnet: stopping after this step; once more stops at once\n$/)
})

test('an evaluation stops, too', async () => {
  const runDir = join(temporaryFolder(), 'run')
  const wide = ['--depth', '20', '--primary-partition', '24', '--num-epochs', '1', '--train-examples', '16']
  expect((await igcnet('train', ...tiny, ...wide, '--run-dir', runDir)).code).toBe(0)
  // The naive device takes more than 10 seconds for all of them, and a moment for one.
  const slow = ['--device', 'reference', '--test-batch-size', '1', '--test-examples', '359']
  const { child, outcome, ended } = start(['evaluate', '--checkpoint', runDir, ...slow])
  await until('the evaluation', () => outcome.stdout.includes('evaluating'))
  await new Promise(resolve => setTimeout(resolve, 500))
  const before = performance.now()
  child.kill('SIGINT')
  const stderr = 'igcnet: stopped before the end of the evaluation\n'
  expect(await ended).toMatchObject({ code: 130, stderr })
  expect(performance.now() - before).toBeLessThan(2000)
})
