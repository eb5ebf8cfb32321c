/** docs/benchmarks.md is what the generator makes of the stored results, and what it makes of some known ones. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cudaPage, storedGpuCheck } from '../../benchmarks/cuda-page.ts'
import { type AllResults, benchmarksPage, storedResults } from '../../benchmarks/docs.ts'
import { formatResults, type Origin } from '../../benchmarks/results.ts'
import { root } from '../cli/command-line.ts'

test('the page is made of the stored results (npm run docs:benchmarks)', () => {
  expect(readFileSync(join(root, 'docs/benchmarks.md'), 'utf8')).toBe(benchmarksPage(storedResults()))
})

test('the page on GPUs is made of what scripts/gpu-check printed', () => {
  expect(readFileSync(join(root, 'docs/benchmarks-cuda.md'), 'utf8')).toBe(cudaPage(storedGpuCheck()))
})

const origin: Origin = {
  machine: {
    cpu: 'Some CPU',
    cores: 2,
    memoryBytes: 8 * 2 ** 30,
    platform: 'linux x64',
    node: 'v20.20.0',
    simd: 'avx512',
    f32Lanes: 16,
    onednn: '2.6.3',
  },
  versions: { PyTorch: '2.13.0' },
  commit: '0123456789ab',
  date: '2026-01-31',
  threads: 2,
}
const timing = (median: number) => ({
  median,
  lowerQuartile: median,
  upperQuartile: median,
  least: median,
  samples: 15,
  repetitions: 1,
})

const nothing: AllResults = { networks: [], grid: [], kernels: [], rivals: [], ladder: [] }

test('rivals: rates, ratios, the promise, and where they were measured', () => {
  const training = (id: string, ours: number, torch: number) => ({
    id,
    kind: 'train' as const,
    images: 64,
    timings: { ours: timing(ours), torch: timing(torch) },
    ratios: { ours: 1, torch: torch / ours },
    resultError: 0,
    origin,
  })
  const memory = {
    id: 'memory:x',
    kind: 'memory' as const,
    peaks: { ours: { peak: 2 ** 28, baseline: 0 }, torch: { peak: 2 ** 29, baseline: 0 } },
    ratios: { ours: 1, torch: 2 },
    origin,
  }
  const rivals = [training('train:plain_igc-L24M2-d20', 64, 640), training('train:plain-W16-d20', 40, 80), memory]
  const page = benchmarksPage({ ...nothing, rivals })
  expect(page).toContain(
    '### Training step, images/s\n\n|  | igcnet | PyTorch, NCHW |\n|---|---:|---:|\n' +
      '| plain_igc-L24M2-d20 | 1,000 | 100 (10.0x) |\n| plain-W16-d20 | 1,600 | 800 (2.0x) |\n',
  )
  expect(page).toContain('| x | 256 | 512 (2.0x) |')
  expect(page).toContain('trains 1,000 images/s in igcnet, the regular W16 of the same depth 800 in the better layout')
  expect(page).toContain(
    '*Some CPU, 2 cores, 8 GiB, linux x64; 2 threads, avx512; Node 20.20.0, oneDNN 2.6.3, PyTorch 2.13.0; ' +
      'commit 0123456789ab, 2026-01-31.*',
  )
})

test('igcnet held to AVX2 has a column where the machine has more', () => {
  const table = (simd: 'avx512' | 'avx2') => {
    const result = {
      ...{ id: 'train:x', kind: 'train' as const, images: 64, resultError: 0 },
      timings: { ours: timing(64), 'ours-avx2': timing(128) },
      ratios: { ours: 1, 'ours-avx2': 2 },
      origin: { ...origin, machine: { ...origin.machine, simd } },
    }
    return benchmarksPage({ ...nothing, rivals: [result] })
  }
  expect(table('avx512')).toContain('|  | igcnet | igcnet, AVX2 |\n|---|---:|---:|\n| x | 1,000 | 500 (2.0x) |\n')
  expect(table('avx2')).toContain('|  | igcnet |\n|---|---:|\n| x | 1,000 |\n')
})

test('kernels and the partition study', () => {
  const kernel = {
    id: 'igcBlock/forward/networks/a',
    ...{ op: 'igcBlock', direction: 'forward', shape: 'networks/a', batch: 64 },
    ...{ ms: 0.81, lowerQuartile: 0.8, upperQuartile: 0.82, gflops: 327, gbps: 30, shareOfPeak: 0.567 },
    origin,
  }
  const member = (L: number, M: number, ms: number) => ({
    ...{ id: `L${L}M${M}`, network: 'plain_igc' as const, depth: 20, primaryPartition: L, secondaryPartition: M },
    ...{ consistent: false, numClasses: 10, batchSize: 10, device: 'cpu' as const, threads: 2, samples: 15 },
    ...{ trainImagesPerSecond: 1000, inferImagesPerSecond: 1000, batch1LatencyMs: 1, peakRssBytes: 1 },
    ...{ train: timing(ms), infer: timing(1), batch1: timing(1), parameters: 1, multiplyAdds: 1e6, referenceError: 0 },
    ...{ machine: origin.machine, commit: null, origin },
  })
  const page = benchmarksPage({ ...nothing, kernels: [kernel], grid: [member(24, 2, 10), member(1, 23, 20)] })
  expect(page).toContain('| igcBlock forward | a | 64 | 0.810 | 327.0 | 30.0 | 57 % |\n')
  expect(page).toContain('| plain_igc, depth 20, L1M23 | 1.00 | 1,000 | 2000.0 | 2.00 |\n')
})

test('a results file names each origin once and has no more digits than were measured', () => {
  const text = formatResults([
    { id: 'a', origin, ms: 1.23456789, count: 123456789 },
    { id: 'b', origin: { ...origin, threads: 1 }, ms: 2 },
    { id: 'c', origin, ms: 3 },
  ] as never)
  const { origins, entries } = JSON.parse(text)
  expect(origins).toHaveLength(2)
  expect(entries).toEqual([
    { id: 'a', ms: 1.2346, count: 123456789, origin: 0 },
    { id: 'b', ms: 2, origin: 1 },
    { id: 'c', ms: 3, origin: 0 },
  ])
})

test('the versions of the IGC block', () => {
  const step = { id: 'abc', what: 'bands', forward: [1.5, 2, 3], backward: [4, 5, 6], origin } as const
  const page = benchmarksPage({ ...nothing, ladder: [{ ...step, forward: [1.5, 2, 3], backward: [4, 5, 6] }] })
  expect(page).toContain('## The IGC block, version by version\n')
  expect(page).toContain('| abc | bands | 1.5, 2, 3 | 4, 5, 6 |\n')
})
