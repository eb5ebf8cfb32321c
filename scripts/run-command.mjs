/**
 * Runs one command of the set-up: quiet while it goes well, its whole output when it fails. Plain Node, no
 * dependencies. Checked by test/unit/setup.test.ts.
 */
import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { root } from './inputs.mjs'

/** A step of the set-up failed for a reason that its message says in full; no stack trace helps. */
export class SetupError extends Error {}

/** Whether the set-up shows all output of what it runs. */
export const verbose = process.argv.includes('--verbose') || process.env.IGCNET_VERBOSE === '1'

/** One line of progress. */
export function say(text) {
  console.log(`igcnet: ${text}`)
}

/**
 * Runs `what` in the package's folder.
 * @param {string} what for the error, e.g. 'npm ci'
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, interactive?: boolean }} [options] interactive: it may ask the user
 * @throws {SetupError} when it cannot be started or fails; its output has been printed by then
 */
export function runCommand(what, command, args, { env = {}, interactive = false } = {}) {
  const shown = verbose || interactive
  const result = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: shown ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (result.error) throw new SetupError(`${what}: ${command} could not be run: ${result.error.message}`)
  if (result.status === 0) return
  if (!shown) process.stderr.write(result.stdout + result.stderr)
  const how = result.signal ? `was ended by ${result.signal}` : `failed with exit code ${result.status}`
  throw new SetupError(`${what} ${how}${shown ? '' : '; its output is above'}`)
}

/** Whether the module with this import.meta.url is the script that Node was started with. */
export function isMain(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === realpathSync(fileURLToPath(url))
}

/**
 * The body of a script: runs it, and turns a SetupError into its sentence and exit code 1.
 * @param {() => void} body
 */
export function main(body) {
  try {
    body()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(`igcnet: ${error.message}`)
    process.exit(1)
  }
}
