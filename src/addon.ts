/**
 * Finds and loads the native addon: a local build, then the platform package (`@igcnet/linux-x64`, …) of the same
 * version. When nothing loads, one InstallError says what was tried, why each failed, and what to do. Checked in
 * test/package/load-failure.test.ts, which brings each failure about and knows the texts by heart.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InstallError } from './errors.ts'

/** The platforms that have a package; scripts/platforms.mjs says what is in each. */
const PREBUILT = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64']

/** What the packages need. The test of the packages holds their binaries to the first two. */
const NEEDED = { glibc: [2, 34], gcc: 11 } as const
/** As package.json says: `^20.19.0 || >=22.12.0`. */
const NODES = [
  [20, 19],
  [22, 12],
] as const

const require = createRequire(import.meta.url)
const ownFolder = fileURLToPath(new URL('..', import.meta.url))

/** Where a local build is, in the order in which they are tried. */
const LOCAL_BUILDS = ['build/Release/igcnet.node', 'build/Debug/igcnet.node'].map(path => join(ownFolder, path))

/** The addon that was loaded, and its path. */
export interface LoadedAddon {
  readonly path: string
  readonly exports: unknown
}

/**
 * Loads the addon. The environment variable IGCNET_NATIVE, the path of another build (one with a sanitizer, for example),
 * is tried first.
 * @throws InstallError when none can be loaded
 */
export function loadAddon(): LoadedAddon {
  const failures: Failure[] = []
  const tryPath = (path: string): LoadedAddon | undefined => {
    if (!existsSync(path)) {
      failures.push({ what: path, reason: 'not there' })
      return undefined
    }
    if (extname(path) !== '.node') {
      failures.push({ what: path, reason: 'its name does not end in .node' }) // it would run as JavaScript
      return undefined
    }
    try {
      return { path, exports: requirePatiently(path) }
    } catch (error) {
      failures.push({ what: path, reason: error instanceof Error ? error.message : String(error) })
      return undefined
    }
  }

  const other = process.env.IGCNET_NATIVE
  for (const path of other ? [resolve(other), ...LOCAL_BUILDS] : LOCAL_BUILDS) {
    const loaded = tryPath(path)
    if (loaded) return loaded
  }
  const name = platformPackage()
  const found = findPackage(name)
  const loaded = 'folder' in found ? tryPath(join(found.folder, 'igcnet.node')) : undefined
  if (loaded) return loaded
  if ('reason' in found) failures.push({ what: name, reason: found.reason })
  throw new InstallError(failureText(failures, machine()))
}

/** The name of this platform's package. */
export function platformPackage(suffix = ''): string {
  return `@igcnet/${process.platform}-${process.arch}${suffix}`
}

/** The folder of a platform package of this version, or why it cannot be used. */
export function findPackage(name: string): { folder: string } | { reason: string } {
  let manifest: string
  try {
    manifest = require.resolve(`${name}/package.json`)
  } catch {
    return { reason: 'not installed' }
  }
  const versionIn = (path: string) => (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
  const [own, found] = [versionIn(join(ownFolder, 'package.json')), versionIn(manifest)]
  if (own !== found) return { reason: `expected version ${own} but received ${found}` }
  return { folder: dirname(manifest) }
}

/** How long idle threads spin before they sleep: in rounds for GNU's OpenMP runtime, in milliseconds for LLVM's. */
const PATIENCE = { GOMP_SPINCOUNT: '10000', KMP_BLOCKTIME: '1' }

/**
 * Loads the addon, and with it the OpenMP runtime, with threads that sleep after waiting for about a millisecond (unless
 * OMP_WAIT_POLICY or the runtime's own variable says otherwise). By default they spin for longer: with other work on the
 * same cores a training step then took 2 to 5 times as long; asleep at once, they wake up late at each of the some hundred
 * loops of a step. The runtime reads the variables when it is loaded; they are taken back, so that child processes do not
 * inherit them.
 */
function requirePatiently(path: string): unknown {
  const names = ['OMP_WAIT_POLICY', ...Object.keys(PATIENCE)]
  if (names.some(name => process.env[name] !== undefined)) return require(path)
  Object.assign(process.env, PATIENCE)
  try {
    return require(path)
  } finally {
    for (const name of Object.keys(PATIENCE)) delete process.env[name]
  }
}

/** One thing that was tried. */
interface Failure {
  what: string
  reason: string
}

interface Machine {
  platform: string
  /** On Linux: the version of glibc, or undefined where the C library is another. */
  glibc: string | undefined
  node: string
  isClone: boolean
}

function machine(): Machine {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  return {
    platform: `${process.platform}-${process.arch}`,
    glibc: header.glibcVersionRuntime,
    node: process.version,
    isClone: existsSync(join(ownFolder, 'CMakeLists.txt')),
  }
}

function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.replace('v', '').split('.').map(Number)
  return a < major || (a === major && b < minor)
}

/** Whether a version of Node is one of those lines, or newer than the last. */
function runsOn(node: string): boolean {
  const [line] = node.replace('v', '').split('.').map(Number)
  const [first, last] = NODES
  return line === first[0] ? !isOlder(node, first) : !isOlder(node, last)
}

const GLIBC = NEEDED.glibc.join('.')
const FROM_SOURCE = 'build it from a clone of the repository with `npm run setup`'

function failureText(failures: readonly Failure[], where: Machine): string {
  const isLinux = where.platform.startsWith('linux-')
  const libc = isLinux ? `, ${where.glibc === undefined ? 'no glibc' : `glibc ${where.glibc}`}` : ''
  const tried = failures.map(({ what, reason }) => `${what}: ${reason}`).join('; ')
  const advice = adviceFor(failures.map(({ reason }) => reason).join('\n'), where, isLinux)
  return (
    `igcnet: the native addon could not be loaded on ${where.platform}${libc}, Node ${where.node}. ` +
    `Tried ${tried}. What to do: ${advice.join('; ')}. See docs/troubleshooting.md.`
  )
}

/** What to do, the surest reason first; at least one line. */
function adviceFor(reasons: string, where: Machine, isLinux: boolean): string[] {
  if (!runsOn(where.node)) return [`use Node ${NODES.map(version => version.join('.')).join(', ')} or newer`]
  if (reasons.includes('AVX2')) return ['use another machine, or set IGCNET_SIMD=baseline to go on, slowly']
  if (where.isClone) return ['in a clone of the repository, run `npm run setup` to build it']
  if (!PREBUILT.includes(where.platform)) {
    return [`there is no package for ${where.platform}, only for ${PREBUILT.join(', ')}; ${FROM_SOURCE}`]
  }
  if (isLinux && where.glibc === undefined) {
    return [`the packages are for glibc, not for musl (Alpine); use a system or image with glibc, or ${FROM_SOURCE}`]
  }
  if (isLinux && where.glibc !== undefined && isOlder(where.glibc, NEEDED.glibc)) {
    return [
      `the packages need glibc ${GLIBC} or newer (Debian 12, Ubuntu 22.04, RHEL 9, Amazon Linux 2023); use a newer ` +
        `system or image, or ${FROM_SOURCE}`,
    ]
  }
  const advice: string[] = []
  const name = platformPackage()
  if (reasons.includes('not installed')) {
    advice.push(
      `install ${name}: optional dependencies must not be left out (--omit=optional, --no-optional), and a lock file ` +
        'or node_modules made on another platform must be made anew (--ignore-scripts does no harm)',
    )
  }
  if (reasons.includes('expected version')) advice.push('install igcnet again: the versions of its packages must agree')
  if (/version [`'](GLIBC|GLIBCXX|CXXABI|GCC)_/.test(reasons)) {
    advice.push(`the packages need glibc ${GLIBC} and libstdc++ of GCC ${NEEDED.gcc}, or newer ones`)
  } else if (/cannot open shared object file|Library not loaded|specified module could not be found/.test(reasons)) {
    advice.push(`a library that belongs to ${name} is missing: install igcnet again`)
  }
  return advice.length > 0 ? advice : ['install igcnet again, and report this if it stays']
}
