/** Training runs with maps of bf16 and f16 on the device `cuda`, whose kernels run on the host; loss scaling there. */
import './on-host.ts'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Progress } from '../../src/train/progress.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const { train, withDefaults } = (await import('../../src/index.ts')).train
await import('../unit/loss-scaler.test.ts')

const root = temporaryDirectory()
afterAll(root.remove)
const newFolder = () => mkdtempSync(join(root.path, 'run-'))
const base = {
  ...{ depth: 5, primaryPartition: 2, secondaryPartition: 2, trainExamples: 48, testExamples: 16, batchSize: 8 },
  ...{ testBatchSize: 16, numEpochs: 2, threads: 1, randSeed: 5, lr: 0.05 },
}

describe('precision', () => {
  it('trains as f32 does, nearly', async () => {
    const losses: number[] = []
    for (const precision of ['f32', 'bf16', 'f16'] as const) {
      const config = withDefaults({ ...base, device: 'cuda', precision })
      const { trainLoss, testLoss } = await train(config, { runDir: newFolder() })
      expect(Number.isFinite(testLoss)).toBe(true)
      losses.push(trainLoss)
    }
    const [f32 = 0, bf16 = 0, f16 = 0] = losses
    expect(Math.abs(bf16 - f32)).toBeLessThan(0.05)
    expect(Math.abs(f16 - f32)).toBeLessThan(0.05)
    expect(new Set(losses).size).toBe(3)
  })

  it('goes on with f16 where it was stopped, with the same bits', async () => {
    const config = withDefaults({ ...base, device: 'cuda', precision: 'f16' })
    const whole = await train(config, { runDir: newFolder() })
    const stop = new AbortController()
    let seen = 0
    const onProgress = ({ kind }: Progress) => {
      if (kind === 'step' && ++seen === 4) stop.abort()
    }
    const part = await train(config, { runDir: newFolder(), signal: stop.signal, onProgress })
    expect(part.stopped).toBe(true)
    const rest = await train(config, { runDir: part.runDir, resume: part.runDir })
    expect(rest.weightsSha256).toBe(whole.weightsSha256)
  })

  it('is refused on other devices', () => {
    expect(() => withDefaults({ precision: 'bf16' })).toThrow(
      new RangeError('config: expected f32 for precision on the device cpu but received "bf16"'),
    )
    expect(() => withDefaults({ precision: 'f8' as 'f16', device: 'cuda' })).toThrow(
      new RangeError('config: expected one of f32, bf16, f16 for precision but received "f8"'),
    )
  })
})
