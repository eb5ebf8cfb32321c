/** Progress as plain lines and as a bar on a made-up terminal. */
import { PassThrough } from 'node:stream'
import { afterEach, expect, test, vi } from 'vitest'
import { formatDuration, formatRate, LineReporter, reporterFor } from '../../src/cli/progress.ts'
import type { Progress } from '../../src/train/index.ts'

const ESCAPE = '\u001b'

afterEach(() => void vi.unstubAllEnvs())

function step(n: number): Progress {
  return {
    kind: 'step',
    epoch: 2,
    epochs: 8,
    step: n,
    steps: 22,
    loss: 1.23456,
    top1: 45.67,
    lr: 0.1,
    imagesPerSecond: 1234.5,
    secondsLeft: 75,
  }
}

const epoch: Progress = {
  kind: 'epoch',
  epoch: 2,
  epochs: 8,
  best: true,
  trainLoss: 1.5,
  trainTop1: 50.123,
  testLoss: 1.25,
  testTop1: 60.5,
  testTop5: 90,
  lr: 0.010000000000000002,
  seconds: 12.3,
  imagesPerSecond: 1000.4,
}

const epochText =
  'epoch 3/8: train loss 1.5000, top-1 50.12 %, test loss 1.2500, top-1 60.50 % (best), lr 0.01, 1,000 images/s, 0:12\n'

test('lines: one an epoch, and one every ten seconds', () => {
  let seconds = 0
  const written: string[] = []
  const reporter = new LineReporter(
    text => written.push(text),
    () => seconds,
  )
  for (let n = 1; n <= 22; n++) {
    seconds += 1
    reporter.show(step(n))
  }
  reporter.show(epoch)
  reporter.show({ kind: 'checkpoint', path: 'last.safetensors' })
  seconds += 11
  reporter.show({ kind: 'download', received: 12_345_678, total: 170_052_171 })
  seconds += 10
  reporter.show({ kind: 'download', received: 23_456_789, total: undefined })
  const line = (n: number) => `epoch 3/8, step ${n}/22: loss 1.2346, top-1 45.7 %, lr 0.1, 1,235 images/s, 1:15 left\n`
  expect(written).toEqual([line(10), line(20), epochText, 'downloading: 12.3 of 170.1 MB\n', 'downloading: 23.5 MB\n'])
})

/** A stream that says that it is a terminal, and what was written to it. */
function terminal(columns: number): { stream: NodeJS.WriteStream; written: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns, cursorTo: () => true, clearLine: () => true })
  const chunks: string[] = []
  stream.on('data', chunk => chunks.push(String(chunk)))
  return { stream: stream as unknown as NodeJS.WriteStream, written: () => chunks.join('') }
}

test('a bar on a terminal, which the line of its epoch replaces', () => {
  vi.stubEnv('TERM', 'xterm')
  const { stream, written } = terminal(200)
  const reporter = reporterFor(stream, 'training plain_igc')
  expect(written()).toBe('')
  reporter.show(step(11))
  expect(written()).toContain('training plain_igc\n')
  expect(written()).toMatch(
    /epoch 3\/8 \[={10} {10}\] loss 1\.2346 {2}top-1 45\.7 % {2}lr 0\.1 {2}1,235 images\/s {2}1:15 left/,
  )
  reporter.show(epoch)
  expect(written().endsWith(epochText)).toBe(true)
  reporter.close()
  expect(written()).toContain(`${ESCAPE}[?25l`) // the cursor is hidden
  expect(written().split(`${ESCAPE}[?25h`)).toHaveLength(written().split(`${ESCAPE}[?25l`).length) // and shown again
  expect(written()).not.toMatch(new RegExp(`${ESCAPE}\\[[0-9;]*m`)) // no colours
})

test.each([
  ['a stream that is no terminal', false, 'xterm'],
  ['a terminal that cannot move its cursor', true, 'dumb'],
])('no escape sequence on %s', (_, isTTY, term) => {
  vi.stubEnv('TERM', term)
  const { stream, written } = terminal(80)
  Object.assign(stream, { isTTY })
  const reporter = reporterFor(stream, 'headline')
  reporter.show(step(1))
  reporter.show(epoch)
  reporter.close()
  expect(written()).toBe(`headline\n${epochText}`)
})

test('durations and rates', () => {
  expect([0, 59.6, 75, 3600, 3700, 360_000].map(formatDuration)).toEqual([
    '0:00',
    '1:00',
    '1:15',
    '1:00:00',
    '1:01:40',
    '100:00:00',
  ])
  expect([Number.NaN, Number.POSITIVE_INFINITY, -1].map(formatDuration)).toEqual(['-:--', '-:--', '0:00'])
  expect([0.1, 0.1 * 0.1, 1e-4, 1e-7, 1000].map(formatRate)).toEqual(['0.1', '0.01', '0.0001', '1e-7', '1000'])
})
