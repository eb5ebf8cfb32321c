/**
 * The set-up (scripts/setup.mjs and the files it is made of): when it has nothing to do, when it builds again, and the
 * sentences that it ends with. The steps themselves are proved by every test that loads the addon.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const scripts = fileURLToPath(new URL('../../scripts/', import.meta.url))

interface Inputs {
  hashInputs(paths: string[], extra: string[], base: string): string
  listFiles(paths: string[], base: string): string[]
  dropForeignCache(buildFolder: string, base: string): void
}
interface Dependencies {
  dependenciesAreCurrent(folder: string): boolean
}
const { hashInputs, listFiles, dropForeignCache }: Inputs = await import(
  `${new URL('../../scripts/inputs.mjs', import.meta.url)}`
)
const { dependenciesAreCurrent }: Dependencies = await import(
  `${new URL('../../scripts/npm-dependencies.mjs', import.meta.url)}`
)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'igcnet-setup-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const write = (path: string, content: unknown) => {
  mkdirSync(join(folder, path, '..'), { recursive: true })
  writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content))
}

it('a folder that CMake configured for a clone elsewhere is made anew, and no other', () => {
  for (const [home, isKept] of [
    [folder, true],
    [join(folder, 'before'), false],
  ] as const) {
    write('build/cmake/CMakeCache.txt', `CMAKE_HOME_DIRECTORY:INTERNAL=${home}\n`)
    dropForeignCache(join(folder, 'build/cmake'), folder)
    expect(existsSync(join(folder, 'build/cmake'))).toBe(isKept)
  }
})

describe('the hash of the inputs', () => {
  it('changes with a content, a name, a new file and what else the build depends on, and with nothing else', () => {
    write('src/a.ts', 'one')
    write('src/sub/b.ts', 'two')
    write('other', 'x')
    expect(listFiles(['src', 'absent', 'other'], folder)).toEqual(['other', 'src/a.ts', 'src/sub/b.ts'])
    const hash = (...extra: string[]) => hashInputs(['src'], extra, folder)
    const first = hash()
    write('src/a.ts', 'one')
    write('other', 'y')
    expect(hash()).toBe(first)

    const seen = new Set([first, hash('5.9')])
    write('src/a.ts', 'on')
    seen.add(hash())
    write('src/c.ts', '')
    seen.add(hash())
    rmSync(join(folder, 'src/c.ts'))
    write('src/d.ts', '')
    seen.add(hash())
    expect(seen.size).toBe(5)
  })
})

describe('the npm dependencies', () => {
  const lock = {
    packages: {
      '': { name: 'igcnet' },
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/of-another-platform': { version: '1.0.0', integrity: 'sha512-b', optional: true },
    },
  }
  const installed = { packages: { 'node_modules/a': lock.packages['node_modules/a'] } }
  const install = () => {
    write('package-lock.json', lock)
    write('node_modules/.package-lock.json', installed)
    write('node_modules/a/package.json', {})
  }

  it('are current when each package is there in its version', () => {
    install()
    expect(dependenciesAreCurrent(folder)).toBe(true)
  })

  it.each([
    ['nothing is installed', () => rmSync(join(folder, 'node_modules'), { recursive: true })],
    ['a package was deleted', () => rmSync(join(folder, 'node_modules/a'), { recursive: true })],
    ['npm was interrupted', () => write('node_modules/.package-lock.json', '{"packages": ')],
    [
      'the lock file has another version',
      () => write('package-lock.json', { packages: { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-c' } } }),
    ],
    [
      'the lock file has one more package',
      () => write('package-lock.json', { packages: { ...lock.packages, 'node_modules/z': { version: '1.0.0' } } }),
    ],
  ])('are not current when %s', (_, change) => {
    install()
    change()
    expect(dependenciesAreCurrent(folder)).toBe(false)
  })
})

describe('the sentences', () => {
  /** Runs a script of a copy of scripts/ alone, where no command can be found. */
  const runBare = (name: string, env: Record<string, string> = {}) => {
    cpSync(scripts, join(folder, 'scripts'), { recursive: true })
    const { status, stderr, stdout } = spawnSync(process.execPath, [join(folder, 'scripts', name)], {
      env: { PATH: join(folder, 'empty'), ...env },
      encoding: 'utf8',
    })
    return { status, stderr, stdout }
  }

  it('name what the system lacks where nothing can be installed', () => {
    const { status, stderr, stdout } = runBare('setup.mjs')
    expect(stderr).toMatch(/^igcnet: missing: a C\+\+20 compiler, make, CMake 3\.22 or newer\b.*\n$/)
    expect(stderr).toMatch(/sudo apt-get install g\+\+ make cmake\b/)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  })

  it('refuse a Node that is too old', () => {
    const code = `Object.defineProperty(process.versions, 'node', { value: '22.11.0' })`
    const { status, stderr } = runBare('setup.mjs', {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
    })
    expect(stderr).toBe('igcnet: Node 20.19 or 22.12 or newer is needed, but this is Node 22.11.0\n')
    expect(status).toBe(1)
  })

  it('do not get lost when the script is called through a link', () => {
    symlinkSync(join(folder, 'scripts'), join(folder, 'link'))
    const { status, stderr } = runBare('../link/build-native.mjs')
    expect(stderr).toMatch(/^igcnet: missing: /)
    expect(status).toBe(1)
  })
})
