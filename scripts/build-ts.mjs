/**
 * Builds dist/ from src/ with tsc, from nothing, so that no file of a deleted source stays. Used by the set-up, by
 * `npm run build:ts` and by npm's own `prepare` step. Checked by test/unit/setup.test.ts.
 */
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hashInputs, installedVersion, readStamps, root, writeStamp } from './inputs.mjs'
import { isMain, main, runCommand, say } from './run-command.mjs'

const dist = join(root, 'dist')
const commandLine = join(dist, 'cli', 'main.js')

function inputsHash() {
  const paths = ['src', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build-ts.mjs']
  return hashInputs(paths, [installedVersion('typescript'), installedVersion('@types/node')])
}

/** Whether dist/ was built from the present sources. */
export function typescriptIsCurrent() {
  return existsSync(commandLine) && readStamps().ts?.hash === inputsHash()
}

/** Compiles, and makes the command line executable, as npm does for an installed package. */
export function buildTypescript() {
  const hash = inputsHash()
  rmSync(dist, { recursive: true, force: true })
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  runCommand('compiling TypeScript', process.execPath, [tsc, '-p', 'tsconfig.build.json'])
  if (existsSync(commandLine)) chmodSync(commandLine, 0o755)
  writeStamp('ts', { hash })
}

if (isMain(import.meta.url)) {
  main(() => {
    say('compiling TypeScript')
    buildTypescript()
  })
}
