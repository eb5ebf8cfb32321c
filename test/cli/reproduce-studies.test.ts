/** `igcnet reproduce partitions` and `compare` as commands: killed and resumed, stopped by a signal, and what they refuse. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { igcnet, lastJson, start, temporaryFolder, until } from './command-line.ts'

const tiny = [
  ...['--depth', '5', '--train-examples', '32', '--test-examples', '20', '--batch-size', '16', '--num-epochs', '3'],
  ...['--threads', '1'],
]
const grid = ['--budget', '224'] // L11M1, L5M2, L1M5
const rows = (folder: string) => JSON.parse(readFileSync(join(folder, 'table.json'), 'utf8')).rows as { id: string }[]

test('partitions: killed in the second network, the same command goes on to the end', async () => {
  const runDir = join(temporaryFolder(), 'study')
  const command = ['reproduce', 'partitions', ...tiny, ...grid, '--run-dir', runDir]
  const { child, ended } = start(command)
  await until('the second network', () => existsSync(join(runDir, 'L5M2', 'last.state.safetensors')))
  child.kill('SIGKILL')
  expect(await ended).toMatchObject({ signal: 'SIGKILL' })
  expect(rows(runDir).map(({ id }) => id)).toEqual(['L11M1'])
  const first = JSON.stringify(rows(runDir)[0])

  const again = await start(command).ended
  expect(again).toMatchObject({ code: 0, stderr: '' })
  expect(again.stdout).toMatch(/^1\/3 plain_igc, depth 5, L11M1: finished before$/m)
  expect(again.stdout).toMatch(/^3\/3 plain_igc, depth 5, L1M5$/m)
  expect(again.stdout).toContain(`plot: ${join(runDir, 'plot.svg')}\n`)
  expect(rows(runDir).map(({ id }) => id)).toEqual(['L11M1', 'L5M2', 'L1M5'])
  expect(JSON.stringify(rows(runDir)[0])).toBe(first)

  const json = lastJson(await igcnet(...command, '--json'))
  expect(json).toMatchObject({ runDir, finished: 3, of: 3, stopped: false, rows: rows(runDir) })
})

test('compare: Ctrl-C keeps what is done, and says how to go on', async () => {
  const runDir = join(temporaryFolder(), 'compare')
  const command = ['reproduce', 'compare', '--networks', 'plain-W4,plain_igc-L2M2', '--run-dir', runDir, ...tiny]
  const { child, outcome, ended } = start([...command, '--num-epochs', '100000'])
  await until('the second epoch', () => outcome.stdout.includes('epoch 2/'))
  child.kill('SIGINT')
  expect(await ended).toMatchObject({ code: 130, signal: null })
  expect(outcome.stderr.trimEnd().split('\n')).toEqual([
    'igcnet: stopping after this step; once more stops at once',
    'igcnet: stopped after 0 of 2 networks; the same command goes on',
  ])
  // Another length of the same recipe would change its learning rates: named, and left alone.
  const shorter = await igcnet(...command)
  expect(shorter.code).toBe(2)
  expect(shorter.stderr).toMatch(/^igcnet: resume: expected the lrSteps .* of the run in .*plain-W4-d5 but received /)
})

test('compare: a network that diverges is named at the end, with the exit code 1', async () => {
  const runDir = join(temporaryFolder(), 'wild')
  const recipe = [...tiny, '--lr', '1000', '--lr-steps', 'none', '--wd', '1', '--num-epochs', '50', '--run-dir', runDir]
  const { code, stdout, stderr } = await igcnet(
    'reproduce',
    'compare',
    '--networks',
    'plain_igc-L2M2,plain-W4',
    ...recipe,
  )
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr:
      'igcnet: reproduce: expected finite losses but plain_igc-L2M2-d5, plain-W4-d5 diverged. A smaller learning rate may help\n',
  })
  expect(stdout).toMatch(/^plain-W4-d5 +[\d,]+ .* diverged /m)
})

test.each([
  ['reproduce compare', 'reproduce compare: expected --networks <list>'],
  ['reproduce compare --networks plain,', '--networks: expected names separated by commas but received "plain,"'],
  ['reproduce compare --networks plain-L2M2', /networks: expected a name, then .* but received "plain-L2M2"/],
  ['reproduce compare --networks plain --depth 6', /plain: expected a depth of 3B \+ 2 .* but received 6/],
  ['reproduce partitions --budget 60', 'partitions: expected a budget that some L and M meet but received 60'],
  ['reproduce partitions --budget none', '--budget: expected a whole number from 1 to 1000000000 but received "none"'],
  ['reproduce partitions --networks plain', /unknown option --networks/],
  [
    'reproduce partitions --data-dir x',
    '--data-dir: expected --dataset cifar10, cifar100 or folder with it; the digits come with igcnet',
  ],
])('%s is refused in one sentence', async (line, sentence) => {
  const { code, stdout, stderr } = await igcnet(...line.split(' '), '--run-dir', join(temporaryFolder(), 'x'))
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(sentence)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})
