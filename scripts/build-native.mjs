/**
 * Builds build/Release/igcnet.node with CMake through cmake-js. CMakeLists.txt is the one build definition; set-up,
 * `npm install`, `npm run build:native` and binding.gyp all come here. Options: --if-needed (not when its inputs are
 * those of the last build), --list-inputs (prints them, builds nothing), --verbose. IGCNET_WERROR=1 makes warnings
 * errors.
 * Checked by test/unit/setup.test.ts and by every test that loads the addon.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { dropForeignCache, hashInputs, installedVersion, listFiles, readStamps, root, writeStamp } from './inputs.mjs'
import { isMain, main, runCommand, SetupError, say } from './run-command.mjs'
import { ensureSystemPackages } from './system-packages.mjs'

const releaseFolder = join(root, 'build', 'Release')
const addon = join(releaseFolder, 'igcnet.node')
const inputPaths = ['native', 'CMakeLists.txt', 'scripts/build-native.mjs']
const warningsAreErrors = process.env.IGCNET_WERROR === '1'

function inputsHash() {
  const versions = ['cmake-js', 'node-addon-api', 'node-api-headers'].map(name => `${name} ${installedVersion(name)}`)
  return hashInputs(inputPaths, [process.platform, process.arch, ...versions])
}

/** The reason why the addon cannot be loaded, or undefined; tried in a process of its own. */
function loadFailure() {
  const code = `process.dlopen({ exports: {} }, ${JSON.stringify(addon)})`
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' })
  if (status === 0) return undefined
  return /^Error: (.*)$/m.exec(stderr)?.[1] ?? signal ?? stderr
}

/** Whether the addon was built from the present sources, and loads. */
export function nativeIsCurrent() {
  const stamp = readStamps().native
  if (stamp === undefined || stamp.hash !== inputsHash()) return false
  // A build that passed with warnings as errors is good for one without.
  if (warningsAreErrors && !stamp.warningsAreErrors) return false
  return existsSync(addon) && loadFailure() === undefined
}

/** cmake-js is beside us in a clone, and may be further up where igcnet is a dependency. */
function findCmakeJs() {
  try {
    const manifest = createRequire(import.meta.url).resolve('cmake-js/package.json')
    return join(dirname(manifest), 'bin', 'cmake-js')
  } catch {
    throw new SetupError('cmake-js is not installed; run: npm install --ignore-scripts')
  }
}

/**
 * Configures and builds; what is up to date is not compiled again.
 * @throws {SetupError} when something is missing, or the build fails
 */
export function buildNative() {
  const cmakeJs = findCmakeJs()
  mkdirSync(releaseFolder, { recursive: true })
  const options = [
    // Not build/ itself, where node-gyp has its own Makefile.
    ...['--directory', root, '--out', join(root, 'build', 'cmake'), '--prefer-make', '--config', 'Release'],
    ...['--log-level', 'warn', '--parallel', String(Math.min(availableParallelism(), 8))],
    `--CDCMAKE_LIBRARY_OUTPUT_DIRECTORY=${releaseFolder}`,
    `--CDIGCNET_WERROR=${warningsAreErrors ? 'ON' : 'OFF'}`,
  ]
  const hash = inputsHash()
  dropForeignCache(join(root, 'build', 'cmake'))
  runCommand('configuring the native addon', process.execPath, [cmakeJs, 'configure', ...options])
  runCommand('building the native addon', process.execPath, [cmakeJs, 'build', ...options])
  const failure = loadFailure()
  if (failure !== undefined) throw new SetupError(`the native addon was built but does not load: ${failure}`)
  writeStamp('native', { hash, warningsAreErrors })
}

if (isMain(import.meta.url)) {
  main(() => {
    if (process.argv.includes('--list-inputs')) {
      for (const file of listFiles(inputPaths)) console.log(file)
      return
    }
    if (process.argv.includes('--if-needed') && nativeIsCurrent()) return
    ensureSystemPackages({ install: false })
    say('building the native addon (a few minutes the first time)')
    buildNative()
  })
}
