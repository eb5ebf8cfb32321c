/** bench:kernels: every op is there, what it prints, and that it refuses a kernel that computes something else. */
import { describe, expect, test } from 'vitest'
import { idOf, workloads } from '../../benchmarks/kernels/all.ts'
import { type KernelResult, measureKernel, referenceError } from '../../benchmarks/kernels/measure.ts'
import type { Workload } from '../../benchmarks/kernels/workload.ts'
import { native } from '../../src/native.ts'
import { lastJson } from '../cli/command-line.ts'
import { batchNorm2dShapes, conv2dShapes, igcBlockShapes } from '../shapes/shapes.ts'
import { script } from './run-script.ts'

const find = (id: string) => workloads.find(workload => workload.id === id) as Workload

describe('the workloads', () => {
  test('have names of their own', () => {
    expect(new Set(workloads.map(idOf)).size).toBe(workloads.length)
  })

  test('are of every op of the addon', () => {
    const notOps = /^(tensor|device|plugin|set|record)|^(fill|copyInto|cast|conv2dTakesNorm|conv2dFuses)$/ // memory, devices, recordings, conversions, questions
    const ops = Object.keys(native).filter(name => !notOps.test(name))
    expect(ops.filter(name => !workloads.some(workload => workload.native === name))).toEqual([])
  })

  test('are on every shape of the tests that is not empty', () => {
    for (const [op, shapes] of Object.entries({ conv2d: conv2dShapes, igcBlock: igcBlockShapes })) {
      for (const { name, N } of shapes) if (N > 0) expect(find(`${op}/forward/tests/${name}`)).toBeDefined()
    }
    for (const { name } of batchNorm2dShapes) expect(find(`batchNorm2d/forwardApply/tests/${name}`)).toBeDefined()
  })

  test('compute what reference computes', () => {
    const small = workloads.filter(({ shape }) =>
      /\/(l24m2-stage-2|channels-6-factor-3|tails|channels-7|gaps)$/.test(shape),
    )
    expect(new Set(small.map(workload => workload.native)).size).toBeGreaterThan(20)
    for (const workload of small.filter(({ shape }) => shape.startsWith('tests/'))) {
      expect([idOf(workload), referenceError(workload)]).toEqual([idOf(workload), expect.closeTo(0, 3)])
    }
  })
})

test('a kernel that computes something else is not timed', async () => {
  const relu = find('relu/forward/tests/channels-7')
  const wrong: Workload = {
    ...relu,
    make(put, batch) {
      const made = relu.make(put, batch)
      return put.device === 'reference'
        ? made
        : { ...made, run: () => [native.addForward(made.reads[0] as never, made.reads[0] as never)] }
    },
  }
  const peak = { gflops: 100, gbps: 10 }
  await expect(measureKernel(wrong, peak, { samples: 1, sampleMs: 1 })).rejects.toThrow(
    /^relu forward tests\/channels-7: differs from reference by \d/,
  )
})

describe('npm run bench:kernels', () => {
  const quick = ['--samples', '2', '--sample-ms', '1', '--peak', '1000,100', '--threads', '1']

  test('--json: an array with the numbers of each kernel', async () => {
    const outcome = await script(
      'kernels/main.ts',
      '--cases',
      'igcBlock/forward/tests/l24m2-stage-2,relu/forward/tests/channels-64',
      ...quick,
      '--json',
    )
    expect(outcome.code).toBe(0)
    const results = lastJson(outcome) as unknown as KernelResult[]
    expect(results.map(idOf)).toEqual(
      expect.arrayContaining(['igcBlock/forward/tests/l24m2-stage-2', 'relu/forward/tests/channels-64']),
    )
    for (const { ms, gflops, gbps, shareOfPeak, lowerQuartile, upperQuartile } of results) {
      expect(ms).toBeGreaterThan(0)
      expect(lowerQuartile).toBeLessThanOrEqual(ms)
      expect(upperQuartile).toBeGreaterThanOrEqual(ms)
      expect(shareOfPeak).toBeCloseTo(Math.max(gflops / 1000, gbps / 100), 9)
    }
    const block = results.find(result => idOf(result) === 'igcBlock/forward/tests/l24m2-stage-2') as KernelResult
    // 2 images of 8x8 pixels, 192 channels: 9 taps of 8 channels, then 24.
    expect(block.gflops * block.ms).toBeCloseTo((2 * 2 * 64 * 192 * (9 * 8 + 24)) / 1e6, 6)
    const relu = results.find(result => idOf(result) === 'relu/forward/tests/channels-64') as KernelResult
    expect(relu.gbps * relu.ms).toBeCloseTo((2 * 4 * 2 * 4 * 4 * 64) / 1e6, 6)
  })

  test('options that make no sense: one sentence, exit code 2', async () => {
    const lines = [
      [
        ['--cases', 'igc_block'],
        /^igcnet: --cases: expected parts of igcBlock\/forward\/.{1,1500} and \d+ more but received "igc_block"$/,
      ],
      [['--peak', '5'], /^igcnet: --peak: expected GFLOP\/s and GB\/s, such as 580,45, but received "5"$/],
    ] as const
    for (const [argv, message] of lines) {
      const { code, stdout, stderr } = await script('kernels/main.ts', ...argv)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr.trimEnd()).toMatch(message)
    }
  })
})
