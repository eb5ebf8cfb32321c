/**
 * What a build was made from: one hash over the contents of its inputs, kept in build/setup.json after a build that
 * succeeded. A build whose hash is unchanged is not run again. Plain Node, no dependencies: it runs before
 * `npm ci`. Checked by test/unit/setup.test.ts.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the package. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * All files under the given files and folders, sorted; what does not exist is left out.
 * @param {string[]} paths relative to `base`
 * @param {string} [base]
 * @returns {string[]} relative to `base`
 */
export function listFiles(paths, base = root) {
  const found = []
  const visit = path => {
    if (!existsSync(path)) return
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path)) visit(join(path, name))
    } else {
      found.push(relative(base, path))
    }
  }
  for (const path of paths) visit(join(base, path))
  return found.sort()
}

/**
 * The hash of the names and contents of these files and folders, and of `extra`.
 * @param {string[]} paths relative to `base`
 * @param {string[]} [extra] what else the build depends on: versions, platform
 * @param {string} [base]
 * @returns {string} sha256, hexadecimal
 */
export function hashInputs(paths, extra = [], base = root) {
  const hash = createHash('sha256')
  hash.update(JSON.stringify(extra))
  for (const file of listFiles(paths, base)) {
    const content = readFileSync(join(base, file))
    hash.update(`\0${file}\0${content.length}\0`)
    hash.update(content)
  }
  return hash.digest('hex')
}

/** Removes a folder that CMake configured where the clone was before it was moved or copied: CMake refuses it. */
export function dropForeignCache(buildFolder, base = root) {
  const cache = join(buildFolder, 'CMakeCache.txt')
  if (!existsSync(cache)) return
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1]
  if (home !== undefined && resolve(home) !== resolve(base)) rmSync(buildFolder, { recursive: true, force: true })
}

/** The version of an installed npm package, or 'none'. */
export function installedVersion(name) {
  try {
    return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
  } catch {
    return 'none'
  }
}

const stampFile = join(root, 'build', 'setup.json')

/** What the last successful builds were made from: `{ native?: {...}, ts?: {...} }`. */
export function readStamps() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'))
  } catch {
    return {}
  }
}

/** Notes under `name` what a build that has just succeeded was made from. */
export function writeStamp(name, value) {
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, `${JSON.stringify({ ...readStamps(), [name]: value }, null, 2)}\n`)
}
