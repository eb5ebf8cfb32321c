/** `npm pack`, as published packages are packed. Checked by test/package. */
import { spawnSync } from 'node:child_process'
import { SetupError } from './run-command.mjs'

/** How npm is started: under `npm run` it says which file it is; otherwise the one on the path. */
export function npmCommand(args) {
  const npm = process.env.npm_execpath
  return npm?.endsWith('npm-cli.js') ? [process.execPath, [npm, ...args]] : ['npm', args]
}

/**
 * Packs a folder.
 * @returns {{ name: string, file: string, unpacked: number, entries: number, files: string[] }} file: in `destination`
 * @throws {SetupError} when npm fails
 */
export function packFolder(folder, destination) {
  const [command, args] = npmCommand(['pack', '--json', '--ignore-scripts', '--pack-destination', destination])
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new SetupError(`npm pack in ${folder} failed: ${error?.message ?? stderr}`)
  const answer = JSON.parse(stdout)
  // npm 11 answers with a list, newer ones with an object by name.
  const [packed] = Array.isArray(answer) ? answer : Object.values(answer)
  const { name, filename, unpackedSize, entryCount, files } = packed
  return { name, file: filename, unpacked: unpackedSize, entries: entryCount, files: files.map(({ path }) => path) }
}
