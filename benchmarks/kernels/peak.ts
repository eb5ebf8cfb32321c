/**
 * What the machine can do at most: a CPU from igcnet_peak (benchmarks/native/peak.cc), built when it is asked for, a GPU from
 * the largest products and copies that its libraries make. Checked by running it.
 */
import { spawnSync } from 'node:child_process'
import { UsageError } from '../../src/cli/failure.ts'
import { native } from '../../src/native.ts'
import { buildNativeBenchmark } from '../native/build.ts'

/** Fused multiply-adds on registers, two operations each; copying from memory to memory, both ways. */
export interface Peak {
  gflops: number
  gbps: number
}

/** The peak of a GPU: a product of matrices in f32, and copies of 256 MiB. The best of some runs. */
export function measureGpuPeak(device: string): Peak {
  const [side, floats, runs] = [8192, 1 << 26, 10]
  const create = (...shape: number[]) => {
    const made = native.tensorCreate({ device, dtype: 'f32', shape })
    native.fill(made, { value: 1 })
    return made
  }
  const best = (work: () => void) => {
    const times = Array.from({ length: runs }, () => {
      const start = performance.now()
      work()
      native.deviceSynchronize(device)
      return performance.now() - start
    })
    return Math.min(...times)
  }
  const [a, b, from, to] = [create(side, side), create(side, side), create(floats), create(floats)]
  try {
    const product = best(() => native.tensorDispose(native.linearForward(a, b)))
    const copy = best(() => native.copyInto(from, to))
    return { gflops: Math.round((2 * side ** 3) / product / 1e6), gbps: Math.round((2 * 4 * floats) / copy / 1e6) }
  } finally {
    for (const tensor of [a, b, from, to]) native.tensorDispose(tensor)
  }
}

/** Measures the peak with a number of threads. @throws Error when the program cannot be built */
export function measurePeak(threads: number): Peak {
  const program = buildNativeBenchmark('igcnet_peak')
  const { status, stdout, stderr } = spawnSync(program, [String(threads)], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`igcnet_peak failed: ${stderr}`)
  const { gflops, gbps } = JSON.parse(stdout)
  return { gflops, gbps }
}

/** `580,45` as GFLOP/s and GB/s. @throws UsageError */
export function parsePeak(text: string): Peak {
  const [gflops = Number.NaN, gbps = Number.NaN, ...rest] = text.split(',').map(Number)
  if (gflops > 0 && gbps > 0 && rest.length === 0) return { gflops, gbps }
  throw new UsageError(`--peak: expected GFLOP/s and GB/s, such as 580,45, but received ${JSON.stringify(text)}`)
}
