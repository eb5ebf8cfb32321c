/**
 * What the machine can do at most, from igcnet_peak (benchmarks/native/peak.cc), built when it is asked for. Checked
 * by running it.
 */
import { spawnSync } from 'node:child_process'
import { UsageError } from '../../src/cli/failure.ts'
import { buildNativeBenchmark } from '../native/build.ts'

/** Fused multiply-adds on registers, two operations each; copying from memory to memory, both ways. */
export interface Peak {
  gflops: number
  gbps: number
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
