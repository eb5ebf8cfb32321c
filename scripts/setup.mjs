/**
 * `npm run setup`, and the first step of `npm start` and `npm test`: makes a fresh clone ready to run. Installs what is
 * missing (system packages through apt, npm dependencies), builds the native addon and dist/. What is up to date is
 * left alone, so a second run does nothing. Nothing but the apt and npm registries is reached. Plain Node, no
 * dependencies. Options: --verbose (all output of what it runs). Checked by test/unit/setup.test.ts.
 */
import { buildNative, nativeIsCurrent } from './build-native.mjs'
import { buildTypescript, typescriptIsCurrent } from './build-ts.mjs'
import { dependenciesAreCurrent, installDependencies } from './npm-dependencies.mjs'
import { main, SetupError, say } from './run-command.mjs'
import { ensureSystemPackages } from './system-packages.mjs'

/** As `engines` in package.json says: the first of these lines with require() of ES modules, and all newer lines. */
const minimumNode = [
  [20, 19],
  [22, 12],
]

function checkNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > minimumNode.at(-1)[0] || minimumNode.some(([line, least]) => major === line && minor >= least)) return
  const lines = minimumNode.map(version => version.join('.')).join(' or ')
  throw new SetupError(`Node ${lines} or newer is needed, but this is Node ${process.versions.node}`)
}

main(() => {
  checkNodeVersion()
  const start = performance.now()
  let steps = 0
  const step = (text, action) => {
    say(text)
    steps++
    action()
  }
  if (!nativeIsCurrent()) ensureSystemPackages({ install: true })
  if (!dependenciesAreCurrent()) step('installing npm dependencies', installDependencies)
  if (!nativeIsCurrent()) step('building the native addon (a few minutes the first time)', buildNative)
  if (!typescriptIsCurrent()) step('compiling TypeScript', buildTypescript)
  if (steps > 0) say(`set-up done in ${((performance.now() - start) / 1000).toFixed(0)} s`)
})
