/** The command in pipes and on a terminal: readers that go away, no escape sequences, a bar. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root, start, temporaryFolder, until } from './command-line.ts'
import { tiny } from './tiny-network.ts'

test.each([['summary'], ['train --help'], ['doctor']])('igcnet %s | a reader that is gone: no stack', async line => {
  const { child, ended } = start(line.split(' '))
  child.stdout?.destroy()
  expect(await ended).toMatchObject({ code: 141, stderr: '' })
})

test('igcnet train | head -1', async () => {
  const runDir = join(temporaryFolder(), 'run')
  const { child, outcome, ended } = start(['train', ...tiny, '--num-epochs', '100000', '--run-dir', runDir])
  await until('the first epoch', () => outcome.stdout.includes('epoch 1/'))
  child.stdout?.destroy()
  expect(await ended).toMatchObject({ code: 141, stderr: '' })
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
