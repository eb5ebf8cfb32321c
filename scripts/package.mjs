/**
 * `npm run package`: makes what is published, from the build, in build/packages/: `igcnet` (JavaScript, types, digits),
 * `@igcnet/<this platform>` (the addon and the libraries that it needs) and, where the CUDA plug-in was built,
 * `@igcnet/<this platform>-cuda`; as folders and as tarballs, whose sizes it prints. Options: --if-needed (not when they
 * were made from the present build). Checked by test/package.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { buildNative, nativeIsCurrent } from './build-native.mjs'
import { buildTypescript, typescriptIsCurrent } from './build-ts.mjs'
import { hashInputs, readStamps, root, writeStamp } from './inputs.mjs'
import { mainManifest, platformManifest, repository } from './manifests.mjs'
import { BUNDLED, librariesToBundle, MOST_PACKED_BYTES, PLATFORMS, SYSTEMS } from './platforms.mjs'
import { isMain, main, SetupError, say } from './run-command.mjs'
import { packFolder } from './tarball.mjs'

/** Where the packages are made. */
export const packagesFolder = join(root, 'build', 'packages')
const release = join(root, 'build', 'Release')
const platform = `${process.platform}-${process.arch}`
const plugin = process.platform === 'win32' ? 'igcnet_cuda.dll' : 'libigcnet_cuda.so'

const PAGES = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'LICENSE', 'NOTICE']
const MAIN_FILES = ['dist', 'data', 'docs', 'examples', ...PAGES]

function inputsHash() {
  const scripts = ['package', 'platforms', 'manifests', 'tarball'].map(name => `scripts/${name}.mjs`)
  const built = ['build/Release/igcnet.node', `build/Release/${plugin}`]
  return hashInputs(['package.json', ...MAIN_FILES, ...scripts, ...built])
}

/** Whether build/packages was made from the present build. */
function packagesAreCurrent() {
  const stamp = readStamps().packages
  return stamp?.hash === inputsHash() && stamp.tarballs.every(file => existsSync(join(packagesFolder, file)))
}

function startFolder(manifest) {
  const folder = join(packagesFolder, manifest.name.replace('@igcnet/', 'igcnet-'))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return folder
}

function stageMain() {
  const folder = startFolder(mainManifest())
  for (const file of MAIN_FILES) cpSync(join(root, file), join(folder, file), { recursive: true })
  return folder
}

/** Copies a binary, and makes it find the others beside it. */
function placeBinary(from, folder, file = basename(from)) {
  const to = join(folder, file)
  cpSync(from, to, { dereference: true })
  chmodSync(to, 0o755)
  SYSTEMS[process.platform].finish(to)
}

const readmeOf = (name, floor, rest) =>
  `# ${name}\n\nA part of [igcnet](https://www.npmjs.com/package/igcnet), which installs it where it fits: install igcnet, not ` +
  `this.\n\nNeeds ${floor}.\n\n${rest}`

function stageAddon() {
  const { os, floor } = PLATFORMS[platform]
  const libraries = librariesToBundle(join(release, 'igcnet.node'), os)
  const used = BUNDLED.filter(entry => libraries.some(({ known }) => known === entry))
  const licences = ['Apache-2.0', ...used.map(({ licence }) => (licence.includes(' OR ') ? `(${licence})` : licence))]
  const licence = [...new Set(licences)].join(' AND ')
  const manifest = platformManifest(platform, { licence })
  const folder = startFolder(manifest)
  placeBinary(join(release, 'igcnet.node'), folder)
  const texts = join(folder, 'licenses')
  mkdirSync(texts)
  const rows = libraries.map(({ file, path, known }) => {
    placeBinary(path, folder, file)
    const found = SYSTEMS[os].licences(path)
    if (found.length === 0) throw new SetupError(`the licence of ${file} was not found`)
    const names = found.map((text, i) => {
      const name = i === 0 ? `${file.split('.')[0]}.txt` : `${basename(text)}.txt`
      cpSync(text, join(texts, name), { dereference: true })
      return `licenses/${name}`
    })
    return `| ${file} | ${known.name} | ${known.licence} | ${names.join(', ')} |\n`
  })
  const table = `| file | what | licence | text |\n|---|---|---|---|\n| igcnet.node | the addon of igcnet | Apache-2.0 | LICENSE |\n${rows.join('')}`
  writeFileSync(join(folder, 'README.md'), readmeOf(manifest.name, floor, table))
  for (const file of ['LICENSE', 'NOTICE']) cpSync(join(root, file), join(folder, file))
  return folder
}

function stageCuda() {
  const { floor } = PLATFORMS[platform]
  const manifest = platformManifest(platform, { cuda: true, licence: 'Apache-2.0' })
  const folder = startFolder(manifest)
  placeBinary(join(release, plugin), folder)
  const rest =
    `\`${plugin}\` is loaded when the device \`cuda\` is asked for. The CUDA runtime is linked into it, under the licence of the CUDA\n` +
    'toolkit (https://docs.nvidia.com/cuda/eula/), which allows that. An NVIDIA driver for CUDA 13, cuDNN 9 and cuBLAS 13\n' +
    'are looked for on the machine: `npx igcnet doctor` says what is missing.\n'
  writeFileSync(join(folder, 'README.md'), readmeOf(manifest.name, floor, rest))
  for (const file of ['LICENSE', 'NOTICE']) cpSync(join(root, file), join(folder, file))
  return folder
}

const megabytes = bytes => `${(bytes / 1e6).toFixed(2)} MB`

/**
 * Makes all packages of this platform; their tarballs' names.
 * @throws {SetupError} when something is missing, or a package is too large
 */
export function makePackages() {
  if (PLATFORMS[platform] === undefined) {
    throw new SetupError(`there is no package for ${platform}, only for ${Object.keys(PLATFORMS).join(', ')}`)
  }
  if (!nativeIsCurrent()) buildNative()
  if (!typescriptIsCurrent()) buildTypescript()
  const hash = inputsHash()
  rmSync(packagesFolder, { recursive: true, force: true })
  const folders = [stageMain(), stageAddon()]
  if (PLATFORMS[platform].cuda) {
    if (existsSync(join(release, plugin))) folders.push(stageCuda())
    else say(`${plugin} is not built (npm run build:cuda): the package @igcnet/${platform}-cuda was NOT made`)
  }
  const tarballs = folders.map(folder => packFolder(folder, packagesFolder))
  for (const { name, file, unpacked, entries } of tarballs) {
    const packed = statSync(join(packagesFolder, file)).size
    say(`${name} ${repository.version}: ${megabytes(packed)} packed, ${megabytes(unpacked)} unpacked, ${entries} files`)
    if (packed > MOST_PACKED_BYTES) throw new SetupError(`${name} is larger than ${megabytes(MOST_PACKED_BYTES)}`)
  }
  writeStamp('packages', { hash, tarballs: tarballs.map(({ file }) => file) })
}

/** The tarballs that were made last: `{ manifest, path }`. */
export function madePackages() {
  const tarballs = readStamps().packages?.tarballs ?? []
  return tarballs.map(file => {
    const path = join(packagesFolder, file)
    const folder = path.replace(`-${repository.version}.tgz`, '')
    return { manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')), path, folder }
  })
}

if (isMain(import.meta.url)) {
  main(() => {
    if (process.argv.includes('--if-needed') && packagesAreCurrent()) return
    say(`packing igcnet ${repository.version} for ${platform}`)
    makePackages()
  })
}
