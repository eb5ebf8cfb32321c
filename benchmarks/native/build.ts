/**
 * Builds the native benchmarks with CMake into build/benchmarks, apart from the addon. Checked by its users:
 * `npm run bench:native` and `npm run bench:kernels`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'build', 'benchmarks')

function run(args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync('cmake', args, { cwd: root, encoding: 'utf8' })
  if (error) throw new Error(`cmake could not be started: ${error.message}`)
  if (status !== 0) throw new Error(`cmake ${args.join(' ')} failed:\n${stdout}${stderr}`)
  return stdout
}

/**
 * Builds a program of benchmarks/native, if its sources are newer, and gives its path.
 * @throws Error when the build fails; for igcnet_bench also where Google Benchmark is not installed
 */
export function buildNativeBenchmark(program: 'igcnet_peak' | 'igcnet_bench'): string {
  const configured = run(['-S', '.', '-B', folder, '-DIGCNET_BENCHMARKS=ON', '-DCMAKE_BUILD_TYPE=Release'])
  if (program === 'igcnet_bench' && configured.includes('Google Benchmark was not found')) {
    throw new Error(
      'Google Benchmark is missing; install it and run the same command again ' +
        '(Debian and Ubuntu: sudo apt-get install libbenchmark-dev)',
    )
  }
  run(['--build', folder, '--target', program, '--parallel', '2'])
  const path = join(folder, 'benchmarks', 'native', program)
  if (!existsSync(path)) throw new Error(`${program} was built but is not in ${folder}`)
  return path
}
