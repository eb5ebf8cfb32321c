/**
 * What the build needs from the operating system: a C++20 compiler, make, CMake, oneDNN and Highway. Each is probed
 * for itself, so any way of installing it will do; on Debian and Ubuntu what is missing is installed through apt, as
 * root or with sudo. Where that cannot be, one sentence names what is missing. Plain Node, no dependencies.
 * Checked by test/unit/setup.test.ts.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runCommand, SetupError, say } from './run-command.mjs'

/** As CMakeLists.txt asks. */
const minimumCmake = [3, 22]

const requirements = [
  { what: 'a C++20 compiler', apt: ['g++'], present: hasCompiler },
  { what: 'make', apt: ['make'], present: () => commandWorks('make', ['--version']) },
  { what: `CMake ${minimumCmake.join('.')} or newer`, apt: ['cmake'], present: hasCmake },
  // Debian's oneDNN is built with OpenCL, and its CMake package refuses to be found without the OpenCL headers.
  { what: 'oneDNN', apt: ['libdnnl-dev', 'ocl-icd-opencl-dev'], present: hasOneDnn },
  { what: 'Highway', apt: ['libhwy-dev'], present: () => findHeader('hwy/highway.h') !== undefined },
]

function commandWorks(command, args, input = '') {
  return spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0
}

function hasCompiler() {
  const source = '#include <concepts>\ntemplate <std::integral T> T twice(T x) { return x + x; }\n'
  return ['g++', 'clang++'].some(name => commandWorks(name, ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], source))
}

function hasCmake() {
  const { stdout } = spawnSync('cmake', ['--version'], { encoding: 'utf8' })
  const match = /version (\d+)\.(\d+)/.exec(stdout ?? '')
  if (!match) return false
  const [major, minor] = [Number(match[1]), Number(match[2])]
  return major > minimumCmake[0] || (major === minimumCmake[0] && minor >= minimumCmake[1])
}

function findHeader(name) {
  const prefixes = (process.env.CMAKE_PREFIX_PATH ?? '').split(delimiter).filter(Boolean)
  return [...prefixes, '/usr', '/usr/local', '/opt/homebrew']
    .map(prefix => join(prefix, 'include', name))
    .find(path => existsSync(path))
}

function hasOneDnn() {
  const config = findHeader('oneapi/dnnl/dnnl_config.h')
  if (config === undefined) return false
  const withOpenCl = /#define\s+DNNL_GPU_RUNTIME\s+DNNL_RUNTIME_OCL/.test(readFileSync(config, 'utf8'))
  return !withOpenCl || findHeader('CL/cl.h') !== undefined
}

/** What is missing: the requirements, each `{ what, apt }`. */
export function missingRequirements() {
  return requirements.filter(requirement => !requirement.present())
}

/** How apt-get can be run here: the words before it, or undefined where it cannot. */
function aptPrefix() {
  if (!commandWorks('apt-get', ['--version'])) return undefined
  if (process.getuid?.() === 0) return []
  if (commandWorks('sudo', ['-n', 'true'])) return ['sudo', '-n']
  // sudo asks for the password, where there is someone to ask.
  const someoneThere = process.stdin.isTTY && process.stdout.isTTY && commandWorks('sudo', ['--version'])
  return someoneThere ? ['sudo'] : undefined
}

function missingSentence(missing) {
  const packages = missing.flatMap(requirement => requirement.apt).join(' ')
  const names = missing.map(requirement => requirement.what).join(', ')
  return (
    `missing: ${names}; install what is missing and run the same command again ` +
    `(Debian and Ubuntu: sudo apt-get update && sudo apt-get install ${packages})`
  )
}

/**
 * Makes sure that all requirements are there, through apt where that is possible.
 * @param {{ install: boolean }} options install: false only checks
 * @throws {SetupError} the sentence that names what is missing
 */
export function ensureSystemPackages({ install }) {
  const missing = missingRequirements()
  if (missing.length === 0) return
  const prefix = install ? aptPrefix() : undefined
  if (prefix === undefined) throw new SetupError(missingSentence(missing))

  const packages = missing.flatMap(requirement => requirement.apt)
  say(`installing system packages: ${packages.join(' ')}`)
  const apt = (...args) => {
    const words = [
      ...prefix,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      '-o',
      'DPkg::Lock::Timeout=120',
      ...args,
    ]
    runCommand(`apt-get ${args[0]}`, words[0], words.slice(1), { interactive: prefix.length === 1 })
  }
  apt('update')
  apt('install', '-y', '--no-install-recommends', ...packages)
  const still = missingRequirements()
  if (still.length > 0) throw new SetupError(missingSentence(still))
}
