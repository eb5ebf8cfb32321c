/**
 * A run leaves the event loop alone and stops soon: with the network of the papers' tables, depth 20, batch 64. Timers
 * of the loop without a trainer: test/binding/training.test.ts; signals: test/cli/interrupt.test.ts.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readModel } from '../../src/train/checkpoint.ts'
import { withDefaults } from '../../src/train/config.ts'
import type { Progress } from '../../src/train/progress.ts'
import { train } from '../../src/train/trainer.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const folder = temporaryDirectory()
afterAll(folder.remove)

const INTERVAL_MS = 50
const LONGEST_SILENCE_MS = 250
const LONGEST_STOP_MS = 2000
/** The first steps allocate and compile. */
const WARM_UP_STEPS = 2

/** The time that this thread did not spend waiting for a core: other work on the machine is no fault of the run. */
function ownTime(): number {
  try {
    const waited = Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
    return performance.now() - waited
  } catch {
    return performance.now() // not Linux
  }
}

test('timers run while it trains, and a stop takes less than two seconds', { timeout: 300_000 }, async () => {
  const stop = new AbortController()
  const times: number[] = []
  let [silence, last, asked] = [0, ownTime(), 0]
  const timer = setInterval(() => {
    const now = ownTime()
    if (times.length > WARM_UP_STEPS) silence = Math.max(silence, now - last)
    last = now
  }, INTERVAL_MS)
  const onProgress = ({ kind }: Progress) => {
    if (kind !== 'step' || times.push(performance.now()) !== WARM_UP_STEPS + 6) return
    setTimeout(() => {
      asked = performance.now()
      stop.abort()
    }, INTERVAL_MS / 2)
  }
  const result = await train(withDefaults(), { runDir: join(folder.path, 'run'), signal: stop.signal, onProgress })
  const took = performance.now() - asked
  clearInterval(timer)
  expect(result.stopped).toBe(true)
  expect((await readModel(result.checkpoint)).weightsSha256).toBe(result.weightsSha256)
  expect(silence).toBeLessThan(LONGEST_SILENCE_MS)
  // What is under way when the stop comes is at most two steps; a machine busy with other work may need longer for them.
  const steps = times.slice(1).map((time, i) => time - (times[i] as number))
  expect(took).toBeLessThan(Math.max(LONGEST_STOP_MS, 3 * Math.max(...steps)))
})
