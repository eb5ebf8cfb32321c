/** For the tests of the packages: they are made by `npm run package`, which `npm test` runs before the tests. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** A package: its tarball, the folder that it was made of, its package.json. */
interface Made {
  path: string
  folder: string
  manifest: { name: string; version: string; dependencies?: Record<string, string> }
}
interface PackageScript {
  madePackages(): Made[]
}
const { madePackages }: PackageScript = await import(`${new URL('../../scripts/package.mjs', import.meta.url)}`)

/** The packages of this platform, by name. */
export const packages = new Map(madePackages().map(made => [made.manifest.name, made]))

/** The folder of a package. */
export function folderOf(name: string): string {
  const made = packages.get(name)
  if (made === undefined || !existsSync(made.folder)) throw new Error(`${name} was not made: run npm run package`)
  return made.folder
}

/** A folder that is removed when the test is over. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'igcnet-package-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Puts packages into node_modules of `folder`, as an installation does; dependencies are those of the repository. */
export function installInto(folder: string, names: readonly string[]): string {
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '@igcnet'), { recursive: true })
  for (const name of names) cpSync(folderOf(name), join(modules, name), { recursive: true })
  const dependencies = packages.get('igcnet')?.manifest.dependencies ?? {}
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  return join(modules, 'igcnet')
}

/** Runs Node in a folder; what it printed and how it ended. */
export function runNode(folder: string, args: readonly string[], env: Record<string, string> = {}) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  return { status, signal, stdout, stderr }
}
