/**
 * A run leaves the event loop alone and stops soon: with the network of the papers' tables, depth 20, batch 64. The
 * limits are those that the project promises; a machine that is busy with other work gets further tries.
 */

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

test('timers run while it trains, and a stop takes less than two seconds', { retry: 3 }, async ({ task }) => {
  const stop = new AbortController()
  let [silence, last, steps, asked] = [0, performance.now(), 0, 0]
  const timer = setInterval(() => {
    const now = performance.now()
    if (steps > WARM_UP_STEPS) silence = Math.max(silence, now - last)
    last = now
  }, INTERVAL_MS)
  const onProgress = ({ kind }: Progress) => {
    if (kind !== 'step' || ++steps !== WARM_UP_STEPS + 6) return
    setTimeout(() => {
      asked = performance.now()
      stop.abort()
    }, INTERVAL_MS / 2)
  }
  const runDir = join(folder.path, `run-${task.result?.retryCount ?? 0}`)
  const result = await train(withDefaults(), { runDir, signal: stop.signal, onProgress })
  const took = performance.now() - asked
  clearInterval(timer)
  expect(result.stopped).toBe(true)
  expect((await readModel(result.checkpoint)).weightsSha256).toBe(result.weightsSha256)
  expect(silence).toBeLessThan(LONGEST_SILENCE_MS)
  expect(took).toBeLessThan(LONGEST_STOP_MS)
})
