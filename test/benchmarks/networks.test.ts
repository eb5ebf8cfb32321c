/** `npm run bench`: a process for each network, and the cases that it knows. */
import { expect, test } from 'vitest'
import { gridCases, networkCases } from '../../benchmarks/networks.ts'
import type { BenchReport } from '../../src/cli/bench.ts'
import { lastJson } from '../cli/command-line.ts'
import { script } from './run-script.ts'

test('the networks and the grid', () => {
  expect(networkCases.map(({ id }) => id)).toEqual([
    'plain_igc-L24M2-d20',
    'plain_igc-L24M2-d38',
    'plain_igc-L4M8-d20',
    'resnet_igc-L24M2-d20',
    'plain-W16-d20',
    'resnet-W16-d20',
  ])
  const sizes = gridCases.slice(1).map(({ primaryPartition: L, secondaryPartition: M }) => L * M * (9 * M + L))
  // The budget of the study: about 4,672 parameters in a block, G^2 (9/L + 1/M).
  expect(sizes).toHaveLength(11)
  for (const parameters of sizes) expect(Math.abs(parameters / 4672 - 1)).toBeLessThan(0.06)
})

test('a network in a process of its own', async () => {
  const quick = ['--batch-size', '2', '--samples', '1', '--sample-ms', '1', '--threads', '1']
  const outcome = await script('network-bench.ts', '--cases', 'plain-W16', ...quick, '--json')
  expect(outcome).toMatchObject({ code: 0, stderr: 'bench: plain-W16-d20\n' })
  const [report] = lastJson(outcome) as unknown as (BenchReport & { id: string })[]
  expect(report).toMatchObject({ id: 'plain-W16-d20', network: 'plain', batchSize: 2, threads: 1, parameters: 269_722 })
  expect(report?.trainImagesPerSecond).toBeGreaterThan(0)
})

test('a network that is not there', async () => {
  const { code, stderr } = await script('network-bench.ts', '--cases', 'W17')
  expect(code).toBe(2)
  expect(stderr).toMatch(/^igcnet: --cases: expected parts of plain_igc-L24M2-d20, .* but received "W17"\n$/)
})
