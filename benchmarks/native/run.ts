/**
 * `npm run bench:native`: builds the C++ benchmarks and runs them; arguments go to Google Benchmark, as in
 * `npm run bench:native -- --benchmark_filter=igc_block`. Checked by running it.
 */
import { spawnSync } from 'node:child_process'
import { buildNativeBenchmark } from './build.ts'

try {
  process.stderr.write('bench:native: building\n')
  const program = buildNativeBenchmark('igcnet_bench')
  // As src/addon.ts sets it: threads that sleep after waiting for about a millisecond.
  const env = { GOMP_SPINCOUNT: '10000', ...process.env }
  process.exitCode = spawnSync(program, process.argv.slice(2), { stdio: 'inherit', env }).status ?? 1
} catch (error) {
  process.stderr.write(`bench:native: ${(error as Error).message}\n`)
  process.exitCode = 1
}
