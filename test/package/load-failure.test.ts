/** Each way in which the addon can fail to load, brought about in an installed package: the one right text, literally. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { installInto, root, runNode, temporaryFolder } from './support.ts'

const ADDON = `@igcnet/${process.platform}-${process.arch}`
const glibc = (process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }).header
  .glibcVersionRuntime
const HERE = `linux-x64, glibc ${glibc}, Node ${process.version}`
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const INSTALL =
  'install @igcnet/linux-x64: optional dependencies must not be left out (--omit=optional, --no-optional), and a lock file ' +
  'or node_modules made on another platform must be made anew (--ignore-scripts does no harm)'
const FROM_SOURCE = 'build it from a clone of the repository with `npm run setup`'

/** An installation, with or without the addon's package. */
function install(names = ['igcnet', ADDON]) {
  const folder = temporaryFolder()
  const main = installInto(folder, names)
  return { folder, main, addon: join(folder, 'node_modules', ADDON, 'igcnet.node') }
}

/** The error of `import 'igcnet'`, after `before` has changed the process. */
function failure(folder: string, { before = '', env = {} }: { before?: string; env?: Record<string, string> } = {}) {
  const preload = `data:text/javascript,${encodeURIComponent(before)}`
  const code = `import('igcnet').then(() => console.log('{}'), e => console.log(JSON.stringify({ name: e.name, code: e.code, message: e.message })))`
  const { status, stdout, stderr } = runNode(folder, ['--import', preload, '-e', code], env)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout)
}

/** The whole error: what was tried beside the local builds, and what to do. */
function expected(main: string, tried: string, advice: string, where = HERE) {
  const locals = ['Release', 'Debug'].map(name => `${join(main, 'build', name, 'igcnet.node')}: not there; `).join('')
  const message =
    `igcnet: the native addon could not be loaded on ${where}. Tried ${locals}${tried}. ` +
    `What to do: ${advice}. See docs/troubleshooting.md.`
  return { name: 'InstallError', code: 'ERR_IGC_INSTALL', message }
}

/** Compiles a library in a folder. */
function compile(out: string, code: string, ...options: string[]): void {
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-xc', '-', '-xnone', '-o', out, ...options], {
    input: code,
    encoding: 'utf8',
  })
  expect(status, stderr.slice(0, 500)).toBe(0)
}

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('the addon', () => {
  it('loads when nothing is wrong', () => {
    expect(failure(install().folder)).toEqual({})
  })

  it('whose package is missing', () => {
    const { folder, main } = install(['igcnet'])
    expect(failure(folder)).toEqual(expected(main, `${ADDON}: not installed`, INSTALL))
  })

  it('whose package is of another version', () => {
    const { folder, main } = install()
    const manifest = join(folder, 'node_modules', ADDON, 'package.json')
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(`"version": "${version}"`, '"version": "0.0.9"'))
    const advice = 'install igcnet again: the versions of its packages must agree'
    expect(failure(folder)).toEqual(expected(main, `${ADDON}: expected version ${version} but received 0.0.9`, advice))
  })

  it('on a platform without a package', () => {
    const { folder, main } = install()
    const before = `Object.defineProperty(process, 'platform', { value: 'freebsd' })`
    const advice = `there is no package for freebsd-x64, only for linux-x64, linux-arm64, darwin-arm64, win32-x64; ${FROM_SOURCE}`
    const where = `freebsd-x64, Node ${process.version}`
    expect(failure(folder, { before })).toEqual(expected(main, '@igcnet/freebsd-x64: not installed', advice, where))
  })

  // process.report tells the C library: musl has no version of glibc.
  const libc = (header: string) => `process.report.getReport = () => ({ header: ${header}, sharedObjects: [] });`

  it('on musl', () => {
    const { folder, main } = install(['igcnet'])
    const advice = `the packages are for glibc, not for musl (Alpine); use a system or image with glibc, or ${FROM_SOURCE}`
    const where = `linux-x64, no glibc, Node ${process.version}`
    expect(failure(folder, { before: libc('{}') })).toEqual(expected(main, `${ADDON}: not installed`, advice, where))
  })

  it('with a glibc that is too old', () => {
    const { folder, main, addon } = install()
    compileAgainstNewLibc(folder, addon)
    const advice =
      'the packages need glibc 2.34 or newer (Debian 12, Ubuntu 22.04, RHEL 9, Amazon Linux 2023); use a newer system or ' +
      `image, or ${FROM_SOURCE}`
    const where = `linux-x64, glibc 2.31, Node ${process.version}`
    const error = failure(folder, { before: libc(`{ glibcVersionRuntime: '2.31' }`) })
    const reason = /igcnet\.node: (.*?)\. What to do/.exec(error.message)?.[1] ?? ''
    expect(reason).toMatch(/version `GLIBC_2\.99' not found \(required by .*igcnet\.node\)$/)
    const text = error.message.slice(error.message.lastIndexOf(`${addon}: `))
    expect(error).toEqual(expected(main, text.slice(0, text.indexOf('. What to do')), advice, where))
  })

  /** An addon that needs a function of a C library of the future, which a stand-in has while it is linked. */
  function compileAgainstNewLibc(folder: string, addon: string): void {
    const versions = join(folder, 'versions')
    writeFileSync(versions, 'GLIBC_2.99 { global: from_the_future; };')
    const libcOfTheFuture = join(folder, 'libc.so.6')
    const own = ['-nostdlib', '-Wl,-soname,libc.so.6', `-Wl,--version-script=${versions}`]
    compile(libcOfTheFuture, 'void from_the_future(void) {}', ...own)
    compile(addon, 'void from_the_future(void); void load(void) { from_the_future(); }', '-nostdlib', libcOfTheFuture)
  }

  it('with a C or C++ library that is too old, although glibc is not', () => {
    const { folder, main, addon } = install()
    compileAgainstNewLibc(folder, addon)
    const error = failure(folder)
    const text = error.message.slice(error.message.lastIndexOf(`${addon}: `))
    const advice = 'the packages need glibc 2.34 and libstdc++ of GCC 11, or newer ones'
    expect(error).toEqual(expected(main, text.slice(0, text.indexOf('. What to do')), advice))
  })

  it('without a library that belongs to it', () => {
    const { folder, main, addon } = install()
    const gone = join(folder, 'libgone.so.1')
    compile(gone, 'int gone(void) { return 1; }', '-Wl,-soname,libgone.so.1')
    compile(addon, 'int gone(void); int load(void) { return gone(); }', gone)
    rmSync(gone)
    const reason = 'libgone.so.1: cannot open shared object file: No such file or directory'
    const advice = `a library that belongs to ${ADDON} is missing: install igcnet again`
    expect(failure(folder)).toEqual(expected(main, `${addon}: ${reason}`, advice))
  })

  it('on a processor without AVX2', () => {
    const { folder, main, addon } = install()
    const reason =
      "the processor has no AVX2 with FMA, which Intel's have since Haswell (2013) and AMD's since Excavator (2015)"
    const advice = 'use another machine, or set IGCNET_SIMD=baseline to go on, slowly'
    const env = { IGCNET_PROCESSOR: 'baseline' }
    expect(failure(folder, { env })).toEqual(expected(main, `${addon}: ${reason}`, advice))
    expect(failure(folder, { env: { ...env, IGCNET_SIMD: 'baseline' } })).toEqual({})
  })

  it('damaged', () => {
    const { folder, main, addon } = install()
    writeFileSync(addon, 'not a library')
    const advice = 'install igcnet again, and report this if it stays'
    expect(failure(folder)).toEqual(expected(main, `${addon}: ${addon}: file too short`, advice))
  })

  it('with a Node that is too old', () => {
    const { folder, main } = install(['igcnet'])
    const before = `Object.defineProperty(process, 'version', { value: 'v18.20.0' })`
    const where = `linux-x64, glibc ${glibc}, Node v18.20.0`
    expect(failure(folder, { before })).toEqual(
      expected(main, `${ADDON}: not installed`, 'use Node 20.19, 22.12 or newer', where),
    )
  })

  it('of a local build is tried first, and its reason is kept', () => {
    const { folder, main, addon } = install()
    mkdirSync(join(main, 'build/Release'), { recursive: true })
    const local = join(main, 'build/Release/igcnet.node')
    writeFileSync(local, 'not a library')
    expect(failure(folder)).toEqual({})
    rmSync(addon)
    expect(failure(folder).message).toContain(`Tried ${local}: ${local}: file too short; `)
  })

  it('named by IGCNET_NATIVE is tried before all others', () => {
    const { folder } = install(['igcnet'])
    expect(failure(folder, { env: { IGCNET_NATIVE: join(root, 'build/Release/igcnet.node') } })).toEqual({})
    const { message } = failure(folder, { env: { IGCNET_NATIVE: 'nowhere.node' } })
    expect(message).toContain(`Tried ${join(folder, 'nowhere.node')}: not there; `)
    writeFileSync(join(folder, 'other.so'), 'throw new Error("run")')
    expect(failure(folder, { env: { IGCNET_NATIVE: 'other.so' } }).message).toContain(
      `Tried ${join(folder, 'other.so')}: its name does not end in .node; `,
    )
  })

  it('makes the command line fail in one sentence, and the doctor go on', () => {
    const { folder, main } = install(['igcnet'])
    const entry = join(main, 'dist/cli/main.js')
    const { message } = expected(main, `${ADDON}: not installed`, INSTALL)
    expect(runNode(folder, [entry, 'train'])).toMatchObject({ status: 1, stdout: '', stderr: `${message}\n` })
    const doctor = runNode(folder, [entry, 'doctor'])
    expect(doctor).toMatchObject({ status: 1, stderr: 'igcnet: doctor: the native addon is not loaded\n' })
    expect(doctor.stdout).toContain(`not loaded: ${message}`)
  })
})
