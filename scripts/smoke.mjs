/**
 * `npm run smoke`: installs the packages as a user does, in an empty folder, from a registry, with a PATH that holds node,
 * npm and basic commands only, then trains with `npx igcnet train`, runs the README's script, and asks the doctor. Prints
 * time and bytes. `npm run smoke -- VARIANT …` runs other ways of installing (the table below), `--all` all of them,
 * `--published` takes the packages of npm's registry instead of those of build/packages, `--keep` keeps the folders. test/package
 * runs the first variant.
 */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { npmRegistry, startRegistry } from './local-registry.mjs'
import { repository } from './manifests.mjs'
import { madePackages, makePackages } from './package.mjs'
import { isMain, SetupError, say } from './run-command.mjs'

/** Nothing that compiles. Package managers' own scripts need a few of these. */
const COMMANDS = [
  'sh',
  'env',
  'cat',
  'cp',
  'dirname',
  'basename',
  'ls',
  'mkdir',
  'mv',
  'readlink',
  'rm',
  'sed',
  'uname',
]
const NPM = {
  install: ['npm', 'install', '--no-audit', '--no-fund', '--loglevel=error'],
  exec: ['npx', '--no-install'],
}

/**
 * What is different from `npm install igcnet`. tool: a package with the package manager. node: the version of an npm
 * package that has Node: the oldest of each line that igcnet is for, and the newest.
 */
export const VARIANTS = {
  npm: {},
  'ignore-scripts': { flags: ['--ignore-scripts'] },
  pnpm: { tool: 'pnpm@9', install: ['pnpm', 'add'], exec: ['pnpm', 'exec'] },
  yarn: {
    tool: 'yarn@1',
    install: ['yarn', 'add', '--non-interactive', '--silent'],
    exec: ['yarn', '--silent', 'run'],
  },
  path: { folder: 'a folder with späces & 木' },
  'read-only': { readOnly: true },
  'node-20': { node: '20.19.0' },
  'node-22': { node: '22.12.0' },
  'node-24': { node: '24' },
  'node-newest': { node: 'latest' },
  'bare-debian': { chroot: true },
}

/** Percent right of a network that knows nothing: 10, and a little luck. */
const CHANCE = 20

/** Runs a command to its end; its output. @throws {SetupError} with all that it printed */
function run(command, args, options) {
  return new Promise((resolve, reject) => {
    // On Windows npm and npx are scripts of a shell.
    const shell = process.platform === 'win32'
    const child = spawn(command, args, { ...options, shell, stdio: ['ignore', 'pipe', 'pipe'] })
    let [output, all] = ['', '']
    child.stdout.on('data', chunk => {
      output += chunk
      all += chunk
    })
    child.stderr.on('data', chunk => (all += chunk))
    child.on('error', error => reject(new SetupError(`smoke: ${command} could not be run: ${error.message}`)))
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(output)
      reject(new SetupError(`smoke: ${command} ${args.join(' ')} ended with ${signal ?? code}:\n${all}`))
    })
  })
}

/** A folder of links to node, npm and the commands. */
function linkCommands(folder, node) {
  mkdirSync(folder, { recursive: true })
  symlinkSync(node, join(folder, 'node'))
  const paths = (process.env.PATH ?? '').split(delimiter)
  for (const name of ['npm', 'npx', ...COMMANDS]) {
    const found = paths.map(path => join(path, name)).find(existsSync)
    if (found === undefined) throw new SetupError(`smoke: ${name} is not on the path`)
    symlinkSync(realpathSync(found), join(folder, name))
  }
}

/** A package from the registry, unpacked into a folder of its own: a Node, or a package manager. */
async function fetchTool(spec, folder, { env }) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', spec], { cwd: folder, env })
  return join(folder, 'node_modules')
}

/** Takes from everyone the right to write, which root keeps; so a run as root tries to write as nobody. */
function makeReadOnly(folder) {
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry)
    const stat = lstatSync(path)
    if (stat.isSymbolicLink()) continue
    if (stat.isDirectory()) makeReadOnly(path)
    else chmodSync(path, stat.mode & 0o555)
  }
  chmodSync(folder, 0o555)
}

function makeWritable(folder) {
  if (lstatSync(folder).isSymbolicLink() || !lstatSync(folder).isDirectory()) return
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder)) makeWritable(join(folder, entry))
}

/** The script of the README, in the package that was installed. */
function readmeScript(installed) {
  const script = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(installed, 'README.md'), 'utf8'))?.[1]
  if (script === undefined) throw new SetupError('smoke: the README has no script')
  return script
}

/** A Debian with nothing in it, made by debootstrap (as root), with this Node and its npm. */
async function bareDebian(folder) {
  await run('debootstrap', ['--variant=minbase', 'bookworm', folder], {})
  const npm = dirname(dirname(realpathSync(join(dirname(process.execPath), 'npm'))))
  mkdirSync(join(folder, 'usr/local/lib/node_modules'), { recursive: true })
  cpSync(realpathSync(process.execPath), join(folder, 'usr/local/bin/node'))
  cpSync(npm, join(folder, 'usr/local/lib/node_modules/npm'), { recursive: true })
  for (const name of ['npm', 'npx']) {
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(folder, 'usr/local/bin', name))
  }
}

/** Installs and tries one variant; what it printed and took. */
async function tryVariant(name, { address: registry, bytes: countBytes }, base) {
  const variant = { ...NPM, folder: 'project', flags: [], ...VARIANTS[name] }
  const bin = join(base, 'bin')
  const home = join(base, 'home')
  mkdirSync(home, { recursive: true })
  const cache = { npm_config_cache: join(home, 'npm'), YARN_CACHE_FOLDER: join(home, 'yarn') }
  const env = {
    ...{ HOME: home, PATH: bin, TMPDIR: base, NO_COLOR: '1', NO_UPDATE_NOTIFIER: '1', CI: 'true' },
    ...{ npm_config_registry: registry, YARN_REGISTRY: registry, npm_config_store_dir: join(home, 'pnpm') },
    ...cache,
  }
  const tools = { env: { ...process.env, ...env, PATH: process.env.PATH } }
  const node = variant.node
    ? join(
        await fetchTool(`node-${process.platform}-${process.arch}@${variant.node}`, join(base, 'node'), tools),
        `node-${process.platform}-${process.arch}/bin/node`,
      )
    : process.execPath
  // Windows has neither these commands nor links for everyone: there the path is the machine's.
  if (process.platform === 'win32') env.PATH = process.env.PATH ?? ''
  else linkCommands(bin, node)
  if (variant.tool) {
    const modules = await fetchTool(variant.tool, join(base, 'tool'), tools)
    env.PATH += delimiter + join(modules, '.bin')
  }
  const project = variant.chroot ? join(base, 'debian', 'project') : join(base, variant.folder)
  if (variant.chroot) await bareDebian(join(base, 'debian'))
  mkdirSync(project, { recursive: true })
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'smoke', private: true }))
  const inside = (command, ...args) => {
    if (!variant.chroot) return run(command, args, { cwd: project, env })
    const there = ['HOME=/root', 'PATH=/usr/local/bin:/usr/bin:/bin', 'NO_COLOR=1', `npm_config_registry=${registry}`]
    const line = ['cd /project && exec "$@"', 'sh', command, ...args]
    return run('chroot', [join(base, 'debian'), '/usr/bin/env', '-i', ...there, '/bin/sh', '-c', ...line], {})
  }
  const [install, ...installArgs] = variant.install
  const [exec, ...execArgs] = variant.exec
  const times = {}
  const timed = async (what, action) => {
    const start = performance.now()
    const result = await action()
    times[what] = `${((performance.now() - start) / 1000).toFixed(1)} s`
    return result
  }

  const spec = `igcnet@${repository.version}`
  await timed('install', () => inside(install, ...installArgs, ...variant.flags, spec))
  const bytes = countBytes()
  await inside(install, ...installArgs, ...variant.flags, 'typescript@5.9')
  const installed = join(project, 'node_modules', 'igcnet')
  writeFileSync(join(project, 'train.mts'), readmeScript(installed))
  const tsc = ['--module', 'nodenext', '--target', 'es2022']
  await inside(exec, ...execArgs, 'tsc', '--strict', ...tsc, 'train.mts')
  if (variant.readOnly) makeReadOnly(join(project, 'node_modules'))
  try {
    const trained = await timed('train', () =>
      inside(exec, ...execArgs, 'igcnet', 'train', '--num-epochs', '2', '--run-dir', 'run', '--json'),
    )
    const result = JSON.parse(trained.trimEnd().split('\n').at(-1))
    if (result.epochs !== 2 || !(result.testTop1 > CHANCE)) throw new SetupError(`smoke: training gave ${trained}`)
    const script = await timed('script', () => inside('node', 'train.mjs'))
    if (!/\d/.test(script)) throw new SetupError(`smoke: the README's script printed ${JSON.stringify(script)}`)
    const doctor = JSON.parse(await inside(exec, ...execArgs, 'igcnet', 'doctor', '--json'))
    if (!doctor.addon.loaded || !doctor.devices.cpu.works) throw new SetupError(`smoke: ${JSON.stringify(doctor)}`)
    return { times, bytes, result, doctor, script }
  } finally {
    if (variant.readOnly) makeWritable(join(project, 'node_modules'))
  }
}

/**
 * Runs variants, one after the other.
 * @param {string[]} names
 * @param {{ published?: boolean, keep?: boolean }} [options] published: those of npm's registry, not of build/packages
 */
export async function smoke(names, { published = false, keep = false } = {}) {
  if (!published && madePackages().length === 0) makePackages()
  const results = {}
  for (const name of names) {
    const from = published ? { address: npmRegistry(), bytes: () => undefined } : await startRegistry()
    const base = mkdtempSync(join(realpathSync(tmpdir()), 'igcnet-smoke-'))
    try {
      const result = await tryVariant(name, from, base)
      results[name] = result
      const size = result.bytes === undefined ? '' : `${(result.bytes / 1e6).toFixed(1)} MB received, `
      const times = Object.entries(result.times).map(([what, time]) => `${what} ${time}`)
      const { node } = result.doctor.versions
      say(
        `smoke: ${name}: passed on Node ${node}: ${size}${times.join(', ')}; ${result.result.testTop1.toFixed(1)} % after 2 epochs`,
      )
    } finally {
      await from.close?.()
      if (keep) say(`smoke: ${name}: kept ${base}`)
      else rmSync(base, { recursive: true, force: true })
    }
  }
  return results
}

if (isMain(import.meta.url)) {
  const args = process.argv.slice(2)
  const published = args.includes('--published')
  const keep = args.includes('--keep')
  const named = args.filter(name => !name.startsWith('--'))
  const unknown = [
    ...named.filter(name => !(name in VARIANTS)),
    ...args.filter(name => name.startsWith('--') && !['--all', '--keep', '--published'].includes(name)),
  ]
  const names = args.includes('--all') ? Object.keys(VARIANTS) : named.length > 0 ? named : ['npm']
  if (unknown.length > 0) {
    console.error(
      `igcnet: smoke: expected --all, --keep, --published or one of ${Object.keys(VARIANTS).join(', ')} but received ${unknown.join(', ')}`,
    )
    process.exitCode = 2
  } else {
    try {
      await smoke(names, { published, keep })
    } catch (error) {
      if (!(error instanceof SetupError)) throw error
      console.error(`igcnet: ${error.message}`)
      process.exitCode = 1
    }
  }
}
