/** `igcnet bench`: all fields, sane values, nothing of a machine's name; the errors are in usage.test.ts. */
import os from 'node:os'
import { describe, expect, test } from 'vitest'
import type { BenchReport } from '../../src/cli/bench.ts'
import { igcnet, lastJson } from './command-line.ts'

const tiny = [
  ...['--depth', '5', '--primary-partition', '2', '--secondary-partition', '2', '--batch-size', '3'],
  ...['--samples', '2', '--sample-ms', '1', '--threads', '1'],
]

describe('igcnet bench', () => {
  test('--json: one object with speed, memory, machine and commit', async () => {
    const outcome = await igcnet('bench', ...tiny, '--json')
    expect(outcome.code).toBe(0)
    expect(outcome.stdout.trimEnd()).not.toContain('\n')
    expect(outcome.stdout).not.toContain(os.hostname())
    const report = lastJson(outcome) as unknown as BenchReport
    expect(report).toMatchObject({
      network: 'plain_igc',
      depth: 5,
      primaryPartition: 2,
      secondaryPartition: 2,
      batchSize: 3,
      device: 'cpu',
      threads: 1,
      samples: 2,
      train: { samples: 2 },
    })
    const { train, infer, batch1, trainImagesPerSecond, inferImagesPerSecond, batch1LatencyMs } = report
    expect(trainImagesPerSecond).toBeCloseTo(3000 / train.median, 6)
    expect(inferImagesPerSecond).toBeCloseTo(3000 / infer.median, 6)
    expect(batch1LatencyMs).toBe(batch1.median)
    for (const { least, lowerQuartile, median, upperQuartile } of [train, infer, batch1]) {
      expect(least).toBeGreaterThan(0)
      expect([least, lowerQuartile, median, upperQuartile]).toEqual(
        [least, lowerQuartile, median, upperQuartile].sort((a, b) => a - b),
      )
    }
    expect(report.peakRssBytes).toBeGreaterThan(2 ** 24)
    expect(report.peakRssBytes).toBeLessThan(os.totalmem())
    expect(report.referenceError).toBeLessThan(1e-3)
    expect(report.multiplyAdds).toBeGreaterThan(100_000)
    expect(report.machine).toMatchObject({ cores: os.availableParallelism(), node: process.version })
    expect(report.commit === null || /^[0-9a-f]{12}(-dirty)?$/.test(report.commit)).toBe(true)
  })

  test('as a table, for another network and device', async () => {
    const { code, stdout } = await igcnet('bench', '--network', 'plain', ...tiny, '--device', 'reference')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^plain, depth 5, W4 on reference \(1 threads, none\): [\d,]+ parameters, [\d,]+ multiply/)
    expect(stdout).toMatch(/^training step, batch 3 +[\d.]+ +[\d.]+ to [\d.]+ +[\d,]+$/m)
    expect(stdout).toMatch(/^inference, batch 3 +[\d.]+ +[\d.]+ to [\d.]+ +[\d,]+$/m)
    expect(stdout).toMatch(/^inference, one image +[\d.]+ +[\d.]+ to [\d.]+ +[\d,]+$/m)
    expect(stdout).toMatch(/^peak memory of training [\d,]+ MiB; 2 samples$/m)
  })

  test('a depth that does not fit: one sentence, exit code 2', async () => {
    const { code, stdout, stderr } = await igcnet('bench', '--depth', '21')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^igcnet: plain: expected a depth of 3B \+ 2 .* but received 21; the nearest is 20$/m)
  })
})
