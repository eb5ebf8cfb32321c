/** The command in pipes and on a terminal: readers that go away, no escape sequences, a bar. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadCheckpoint } from '../../src/train/checkpoint.ts'
import { root, start, temporaryFolder, until } from './command-line.ts'
import { tiny } from './tiny-network.ts'

test.each([['summary'], ['train --help'], ['doctor']])('igcnet %s | a reader that is gone: no stack', async line => {
  const { child, ended } = start(line.split(' '))
  child.stdout?.destroy()
  expect(await ended).toMatchObject({ code: 141, stderr: '' })
})

/** A long run whose reader goes away once it has seen an epoch, and a signal before that. */
async function readerGoes(runDir: string, signal?: NodeJS.Signals) {
  const endless = ['--num-epochs', '100000', '--checkpoint-epochs', '100000', '--run-dir', runDir]
  const { child, outcome, ended } = start(['train', ...tiny, ...endless])
  await until('the first epoch', () => outcome.stdout.includes('epoch 1/'))
  if (signal) child.kill(signal)
  child.stdout?.destroy()
  return ended
}

test('igcnet train | head -1: quiet, and a checkpoint', async () => {
  const runDir = join(temporaryFolder(), 'run')
  expect(await readerGoes(runDir)).toMatchObject({ code: 141, stderr: '' })
  expect((await loadCheckpoint(runDir)).state.steps).toBeGreaterThan(0)
  expect(existsSync(join(runDir, 'run.lock'))).toBe(false)
})

test('igcnet train | tee, both ended by Ctrl-C: a checkpoint, and how to go on', async () => {
  const runDir = join(temporaryFolder(), 'run')
  const { code, stderr } = await readerGoes(runDir, 'SIGINT')
  expect(code).toBe(130)
  expect(stderr).toMatch(/^igcnet: stopping after .*\nigcnet: stopped after \d+ of 100000 epochs; this goes on: .*\n$/)
  expect((await loadCheckpoint(runDir)).state.steps).toBeGreaterThan(0)
})

/** Runs a command in a shell, behind it redirections. */
function inShell(argv: readonly string[], redirections: string) {
  const line = [process.execPath, '--import', 'tsx', join(root, 'src/cli/main.ts'), ...argv].join(' ')
  return spawnSync('sh', ['-c', `${line} ${redirections}`], { cwd: root, encoding: 'utf8', timeout: 60_000 })
}

const lost = 'igcnet: cannot write to standard output: ENOSPC: no space left on device, write\n'

describe.skipIf(!existsSync('/dev/full'))('a full disk', () => {
  test('as standard output stops a run, as Ctrl-C does, with one sentence and a checkpoint', async () => {
    const runDir = join(temporaryFolder(), 'run')
    const { status, stderr } = inShell(['train', ...tiny, '--num-epochs', '100000', '--run-dir', runDir], '>/dev/full')
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /^igcnet: cannot write to standard output: ENOSPC.*\nigcnet: stopping after .*\nigcnet: stopped after 0 of 100000/,
    )
    expect(stderr.split('\n')).toHaveLength(4)
    expect((await loadCheckpoint(runDir)).state.rows).toEqual([])
  })

  test('as standard output loses the results of a command: exit code 1', () => {
    expect(inShell(['summary'], '>/dev/full')).toMatchObject({ status: 1, stderr: lost })
    expect(inShell(['train', '--help'], '>/dev/full')).toMatchObject({ status: 1, stderr: lost })
    const runDir = join(temporaryFolder(), 'run')
    const { status, stderr } = inShell(['train', ...tiny, '--run-dir', runDir, '--json'], '>/dev/full')
    expect(status).toBe(1)
    expect(stderr).toMatch(/epoch 2\/2: .*\nigcnet: cannot write to standard output: ENOSPC.*\n$/)
  })

  test('as standard error changes nothing for a run with --json', () => {
    const runDir = join(temporaryFolder(), 'run')
    const { status, stdout } = inShell(['train', ...tiny, '--run-dir', runDir, '--json'], '2>/dev/full')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ epochs: 2, stopped: false })
  })

  test('as standard error leaves the sentence of a failure to standard output', () => {
    const { status, stdout } = inShell(['trian'], '2>/dev/full')
    expect(status).toBe(2)
    expect(stdout).toBe('igcnet: unknown command "trian": did you mean train?\n')
  })

  test('as both: the exit code alone', () => {
    expect(inShell(['summary'], '>/dev/full 2>&1').status).toBe(1)
  })
})

const hasScript = spawnSync('script', ['--version']).status === 0

test.skipIf(!hasScript)('on a terminal: a bar for each epoch, replaced by its line; then the cursor is back', () => {
  const runDir = join(temporaryFolder(), 'run')
  const entry = join(root, 'src/cli/main.ts')
  const line = [process.execPath, '--import', 'tsx', entry, 'train', ...tiny, '--run-dir', runDir].join(' ')
  const env = { ...process.env, TERM: 'xterm' }
  const { status, stdout } = spawnSync('script', ['-qec', line, '/dev/null'], { cwd: root, env, encoding: 'utf8' })
  expect(status).toBe(0)
  expect(stdout).toMatch(
    /epoch 1\/2 \[=+ *\] loss \d\.\d{4} {2}top-1 [\d.]+ % {2}lr 0\.1 {2}[\d,]+ images\/s {2}[\d:]+ left/,
  )
  expect(stdout).toMatch(/epoch 2\/2: train loss /)
  expect(stdout.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?25l'))
  expect(stdout).toMatch(/last: .*last\.safetensors\r?\n$/)
})
