/**
 * `npm run check`: type check, lint, the build of the CUDA kernels, the packages, the API documentation and all tests, one
 * after the other; a step that fails does not keep the next ones from running, so that one run shows everything. Arguments
 * go to vitest: `npm run check -- test/unit`. The exit code is 0 when every step passed.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from './inputs.mjs'

const bin = name => join(root, 'node_modules', '.bin', name)

const steps = [
  { name: 'type check', command: bin('tsc'), args: ['-p', 'tsconfig.json'] },
  { name: 'lint (biome)', command: bin('biome'), args: ['check', '--error-on-warnings', '.'] },
  { name: 'lint (layers)', command: bin('tsx'), args: ['scripts/check-layers.ts'] },
  { name: 'lint (clang-format)', command: process.execPath, args: ['scripts/check-cpp-format.mjs'] },
  { name: 'CUDA', command: process.execPath, args: ['scripts/build-cuda.mjs', '--if-possible'] },
  { name: 'packages', command: process.execPath, args: ['scripts/package.mjs', '--if-needed'] },
  { name: 'API documentation', command: bin('typedoc'), args: [] },
  { name: 'tests', command: bin('vitest'), args: ['run', ...process.argv.slice(2)] },
]

const failed = []
for (const { name, command, args } of steps) {
  const start = performance.now()
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) console.error(`check: ${name}: ${error.message}`)
  if (status !== 0) failed.push(name)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`check: ${name}: ${status === 0 ? 'passed' : 'FAILED'} (${seconds} s)`)
}
if (failed.length > 0) console.log(`check: failed: ${failed.join(', ')}`)
process.exitCode = failed.length > 0 ? 1 : 0
