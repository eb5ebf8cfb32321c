/**
 * The lint of the project's own rules: which layer may use which (the tables below), no catch-all folders, no file of
 * more than 400 lines without a reason, an opening comment in every source file (a .cc may leave it to its header), no
 * paths of one machine.
 * `npm run lint` runs it over the tree. Checked by test/unit/check-layers.test.ts, which feeds it violations.
 */
import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * cli -> train -> models -> nn -> ops -> {autograd, tensor, native}: the units of src/ that each unit may import,
 * besides itself. A folder of src/ is a unit; so are the files named here; `core` is every other file directly in src/
 * (tensor, autograd, scope, device, …).
 */
const mayImport: Record<string, string[]> = {
  errors: [],
  addon: ['errors'],
  plugin: ['addon', 'errors'],
  native: ['addon', 'plugin', 'errors'],
  core: ['native', 'errors'],
  ops: ['core', 'native', 'errors'],
  nn: ['ops', 'core', 'errors'],
  optim: ['ops', 'core', 'errors'],
  data: ['ops', 'core', 'errors'],
  models: ['nn', 'ops', 'core', 'errors'],
  theory: ['models', 'nn', 'ops', 'core', 'errors'],
  train: ['models', 'nn', 'optim', 'data', 'ops', 'core', 'errors'],
  reproduce: ['train', 'theory', 'models', 'nn', 'optim', 'data', 'ops', 'core', 'errors'],
  cli: ['reproduce', 'train', 'theory', 'models', 'nn', 'optim', 'data', 'ops', 'core', 'errors'],
  index: ['reproduce', 'train', 'theory', 'models', 'nn', 'optim', 'data', 'ops', 'core', 'errors'],
}

/** Of src/, only src/ops/ and these touch the native functions: what a tensor is made of (handle, tape, device, scope). */
const nativeImporters = ['tensor', 'autograd', 'deferred', 'device', 'recording', 'scope'].map(name => `src/${name}.ts`)

/** binding -> core <- {reference, cpu, cuda}: the folders of native/ that each folder may include, besides itself. */
const mayInclude: Record<string, string[]> = {
  core: [],
  reference: ['core'],
  cpu: ['core'],
  cuda: ['core'],
  binding: ['core'],
}

/** The one header of each backend that the binding includes: it makes the device. */
const backendDoors = ['reference/reference.h', 'cpu/cpu.h']

const catchAllFolders = ['utils', 'util', 'common', 'helpers']
const maximumLines = 400
const skippedFolders = ['.git', 'node_modules', 'build', 'dist', 'runs']
const sourceFile = /\.(ts|mts|js|mjs|cjs|cc|h|cu|cuh|py|sh)$/
const textFile = /\.(ts|mts|js|mjs|cjs|cc|h|cu|cuh|py|sh|md|json|yml|txt|gyp)$/
/** Folders of one machine: the project's text must fit every machine. */
const machinePath = new RegExp(`(?<![\\w.~>)\\]}-])/(?:${['work', 'root', 'home', 'Users'].join('|')})/`)

interface SourceFile {
  path: string
  text: string
}

/** Text without comments, of the same lines. Comments may name anything. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, comment => comment.replace(/[^\n]/g, ''))
}

function unitOf(path: string): string {
  const [, first = '', second] = path.split('/')
  if (second !== undefined) return first
  const name = first.replace(/\.ts$/, '')
  return ['errors', 'addon', 'plugin', 'native', 'index'].includes(name) ? name : 'core'
}

function checkImports({ path, text }: SourceFile, report: (line: number, message: string) => void): void {
  const from = unitOf(path)
  const allowed = mayImport[from]
  if (allowed === undefined) {
    report(1, `src/${from}/ is no layer; add it to mayImport in scripts/check-layers.ts`)
    return
  }
  const code = withoutComments(text)
  for (const match of code.matchAll(/\b(?:from|import)\s*\(?\s*['"](\.[^'"]*)['"]/g)) {
    const target = normalize(join(dirname(path), match[1] ?? ''))
    const line = code.slice(0, match.index).split('\n').length
    if (!target.startsWith('src/')) {
      if (!target.endsWith('package.json')) report(line, `src/ must not import ${target}, which is outside of it`)
      continue
    }
    const to = unitOf(target)
    if (to !== from && !allowed.includes(to)) report(line, `${from} must not import ${to} (${match[1]})`)
    else if (to === 'native' && from !== 'ops' && !nativeImporters.includes(path))
      report(line, `only src/ops and ${nativeImporters.join(', ')} import native.ts`)
  }
}

function checkIncludes({ path, text }: SourceFile, report: (line: number, message: string) => void): void {
  const folder = path.split('/')[1] ?? ''
  const allowed = mayInclude[folder]
  if (allowed === undefined) {
    report(1, `native/${folder} is no layer; add it to mayInclude in scripts/check-layers.ts`)
    return
  }
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*#\s*include\s*["<]([^">]+)[">]/.exec(line)?.[1]
    if (header === undefined) continue
    if (/^(napi|node_api|js_native_api|node|v8)\b.*\.h$/.test(header) && folder !== 'binding')
      report(index + 1, `only native/binding includes <${header}>`)
    if (header.startsWith('.')) report(index + 1, `includes are relative to native/: "${header}"`)
    const to = header.split('/')[0] ?? ''
    if (mayInclude[to] === undefined || !header.includes('/') || to === folder || allowed.includes(to)) continue
    if (folder === 'binding' && backendDoors.includes(header)) continue
    report(index + 1, `native/${folder} must not include native/${to} ("${header}")`)
  }
}

function checkForm({ path, text }: SourceFile, report: (line: number, message: string) => void): void {
  const folder = dirname(path)
    .split('/')
    .find(name => catchAllFolders.includes(name))
  if (folder !== undefined)
    report(1, `a folder ${folder}/ says nothing of what is in it; name the file by what it does`)

  if (sourceFile.test(path)) {
    const lines = text.split('\n')
    const [first = '', second = ''] = lines[0]?.startsWith('#!') ? lines.slice(1) : lines
    const length = lines.at(-1) === '' ? lines.length - 1 : lines.length
    const ownHeader = `#include "${path.replace(/^native\//, '').replace(/\.cc$/, '.h')}"`
    if (first !== ownHeader && !/^\s*(\/\/|\/\*|#(?!\s*(include|pragma|if|define))|""")/.test(first))
      report(1, 'the file must open with a comment: what is here and how it is checked')
    if (length > maximumLines && !`${first}${second}`.includes('long:'))
      report(1, `${length} lines: split it, or give the reason in its first comment line, as in "// long: …"`)
  }
  for (const [index, line] of text.split('\n').entries()) {
    if (machinePath.test(line)) report(index + 1, `a path of one machine: ${line.trim().slice(0, 80)}`)
  }
}

/**
 * Checks files against the project's rules.
 * @param files paths relative to the project's folder with `/`, and the texts
 * @returns one line per violation, `path:line: message`; empty when there are none
 */
export function checkLayers(files: SourceFile[]): string[] {
  const violations: string[] = []
  for (const file of files) {
    const report = (line: number, message: string) => {
      violations.push(`${file.path}:${line}: ${message}`)
    }
    if (/^src\/.*\.ts$/.test(file.path)) checkImports(file, report)
    if (/^native\/.*\.(cc|h|cu|cuh)$/.test(file.path)) checkIncludes(file, report)
    checkForm(file, report)
  }
  return violations
}

/** All text files of the tree below `folder`, without what is built or installed. */
function readTree(root: string, folder = root): SourceFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return skippedFolders.includes(entry.name) ? [] : readTree(root, path)
    const name = relative(root, path).replaceAll('\\', '/')
    const isText = textFile.test(name) || ['CMakeLists.txt', '.ci/run'].includes(name)
    return isText && name !== 'package-lock.json' ? [{ path: name, text: readFileSync(path, 'utf8') }] : []
  })
}

const script = fileURLToPath(import.meta.url)
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === realpathSync(script)) {
  const files = readTree(dirname(dirname(script)))
  const violations = checkLayers(files)
  for (const violation of violations) console.error(violation)
  if (violations.length > 0) process.exitCode = 1
  else console.log(`layers: ${files.length} files, no violation`)
}
