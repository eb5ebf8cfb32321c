/**
 * The npm dependencies of a clone: whether node_modules holds what package-lock.json says, and `npm ci` where it does
 * not. Plain Node, no dependencies: it runs before `npm ci`. Checked by test/unit/setup.test.ts.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './inputs.mjs'
import { runCommand } from './run-command.mjs'

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/**
 * Whether node_modules holds each package of package-lock.json in its version. npm notes what it has installed in
 * node_modules/.package-lock.json. An optional package may be missing: it is of another platform.
 * @param {string} [folder]
 */
export function dependenciesAreCurrent(folder = root) {
  const wanted = readJson(join(folder, 'package-lock.json'))?.packages
  const installed = readJson(join(folder, 'node_modules', '.package-lock.json'))?.packages
  if (wanted === undefined || installed === undefined) return false
  return Object.entries(wanted).every(([path, { version, integrity, optional, devOptional }]) => {
    if (path === '') return true
    const found = installed[path]
    if (found === undefined) return optional === true || devOptional === true
    return found.version === version && found.integrity === integrity && existsSync(join(folder, path))
  })
}

/**
 * Installs exactly package-lock.json. No install scripts: the addon is built by the set-up, and no dependency needs its own.
 * @throws {SetupError} when npm fails
 */
export function installDependencies() {
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund']
  // Under `npm start` npm says which file it is; otherwise the one on the path.
  const npm = process.env.npm_execpath
  if (npm?.endsWith('npm-cli.js')) runCommand('npm ci', process.execPath, [npm, ...args])
  else runCommand('npm ci', 'npm', args)
}
