/**
 * Checks the layout of the C++ sources with clang-format. Versions of clang-format differ in details, so only the one
 * named here is asked; without it the check is skipped, and says so.
 */
import { spawnSync } from 'node:child_process'
import { extname, join } from 'node:path'
import { listFiles, root } from './inputs.mjs'

const version = 14

/** clang-format of that version: the plain name, or Debian's name with the version in it. */
function findClangFormat() {
  return ['clang-format', `clang-format-${version}`].find(name => {
    const { stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' })
    return Number(/version (\d+)\./.exec(stdout ?? '')?.[1]) === version
  })
}

const sources = listFiles(['native', 'benchmarks/native']).filter(file =>
  ['.h', '.cc', '.cu', '.cuh'].includes(extname(file)),
)
const clangFormat = findClangFormat()
if (clangFormat === undefined) {
  console.log(`clang-format ${version} is not installed: the layout of ${sources.length} C++ files was NOT checked`)
} else if (sources.length > 0) {
  const files = sources.map(file => join(root, file))
  const args = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror']
  process.exitCode = spawnSync(clangFormat, [...args, ...files], { stdio: 'inherit' }).status ?? 1
}
