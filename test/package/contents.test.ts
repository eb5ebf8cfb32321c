/** What is in the packages: only what belongs, in one version, with its licences, and nothing that needs a newer system. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, extname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderOf, packages, root } from './support.ts'

interface Platforms {
  MOST_PACKED_BYTES: number
  PLATFORMS: Record<string, { os: string; cpu: string; libc?: string; floor: string }>
  SYMBOL_FLOOR: Record<string, string>
  SYSTEM_LIBRARIES: { linux: RegExp }
}
const { MOST_PACKED_BYTES, PLATFORMS, SYMBOL_FLOOR, SYSTEM_LIBRARIES }: Platforms = await import(
  `${new URL('../../scripts/platforms.mjs', import.meta.url)}`
)

const platform = `${process.platform}-${process.arch}`
const addonPackage = `@igcnet/${platform}`
const cudaPackage = `@igcnet/${platform}-cuda`
const repository = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}

/** Of the headings of a page, as GitHub and npm make them. */
function anchorsOf(page: string): string[] {
  const headings = [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)].map(match => match[1] as string)
  return headings.map(text =>
    text
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

function output(command: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  return stdout
}

describe('igcnet', () => {
  const folder = folderOf('igcnet')
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

  it('has no script, nothing to build, and each platform package in exactly its version', () => {
    for (const key of ['scripts', 'devDependencies', 'overrides', 'private']) expect(manifest).not.toHaveProperty(key)
    expect(manifest.version).toBe(repository.version)
    expect(Object.keys(manifest.dependencies)).not.toContain('cmake-js')
    expect(manifest.optionalDependencies).toEqual({
      '@igcnet/linux-x64': repository.version,
      '@igcnet/linux-x64-cuda': repository.version,
      '@igcnet/linux-arm64': repository.version,
      '@igcnet/darwin-arm64': repository.version,
      '@igcnet/win32-x64': repository.version,
    })
    const source = readFileSync(join(root, 'src/addon.ts'), 'utf8')
    expect(source).toContain(
      `[${Object.keys(PLATFORMS)
        .map(name => `'${name}'`)
        .join(', ')}]`,
    )
  })

  it('holds the built files, the digits, the pages, and nothing else', () => {
    const files = filesIn(folder)
    const top = [...new Set(files.map(file => file.split('/')[0]))].sort()
    const pages = ['ARCHITECTURE.md', 'CHANGELOG.md', 'LICENSE', 'NOTICE', 'README.md']
    expect(top).toEqual([...pages, 'data', 'dist', 'docs', 'examples', 'package.json'])
    const built = new Set(files.filter(file => file.startsWith('dist/')).map(extname))
    expect([...built].filter(end => !['.js', '.map', '.mjs', '.ts'].includes(end))).toEqual([])
    expect(files.filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([])
    expect(files.filter(file => file.startsWith('data/'))).toEqual(['data/digits.csv.gz', 'data/published.json'])
    expect(files.filter(file => file.startsWith('docs/') && !file.endsWith('.md'))).toEqual([])
  })

  it('has what its pages link to', () => {
    const pages = filesIn(folder).filter(file => file.endsWith('.md'))
    const links = pages.flatMap(page => {
      const text = readFileSync(join(folder, page), 'utf8')
      return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => ({ page, link }))
    })
    const relatives = links.filter(({ link }) => !/^(https?:|#)/.test(link))
    expect(relatives.length).toBeGreaterThan(20)
    const broken = relatives.filter(({ page, link }) => {
      const [path = '', anchor] = link.split('#')
      const target = relative(folder, join(folder, dirname(page), path))
      if (target.startsWith('..') || !existsSync(join(folder, target))) return true
      return anchor !== undefined && !anchorsOf(join(folder, target)).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  it('imports no TypeScript', () => {
    const scripts = filesIn(join(folder, 'dist')).filter(file => /\.m?js$/.test(file))
    expect(scripts.length).toBeGreaterThan(50)
    for (const file of scripts) {
      const text = readFileSync(join(folder, 'dist', file), 'utf8')
      expect(text.match(/(?:from|import\()\s*['"]\.[^'"]*\.ts['"]/g), file).toBeNull()
    }
  })
})

describe.each([...packages.keys()].filter(name => name !== 'igcnet'))('%s', name => {
  const folder = folderOf(name)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const isBinary = (file: string) => /\.(node|so)$|\.so\./.test(file)

  it('is for this platform alone, of the version of igcnet, without scripts', () => {
    const { os, cpu, libc } = PLATFORMS[platform] as Platforms['PLATFORMS'][string]
    expect(manifest).toMatchObject({
      name,
      version: repository.version,
      os: [os],
      cpu: [cpu],
      engines: repository.engines,
    })
    expect(manifest.libc).toEqual(libc === undefined ? undefined : [libc])
    for (const key of ['scripts', 'dependencies', 'main']) expect(manifest).not.toHaveProperty(key)
  })

  it('is small when packed', () => {
    expect(statSync(packages.get(name)?.path ?? '').size).toBeLessThan(MOST_PACKED_BYTES)
  })

  it('says in its README what is in it, with the text of each licence', () => {
    const readme = readFileSync(join(folder, 'README.md'), 'utf8')
    const files = filesIn(folder)
    for (const file of files.filter(isBinary)) expect(readme).toContain(file)
    for (const [text] of readme.matchAll(/licenses\/[\w.-]+/g)) expect(files).toContain(text)
    expect(files).toContain('LICENSE')
    expect(files.filter(file => file.startsWith('licenses/') && statSync(join(folder, file)).size < 300)).toEqual([])
  })

  it.skipIf(process.platform !== 'linux')("needs no library but those beside it and the system's", () => {
    for (const file of filesIn(folder).filter(isBinary)) {
      const dynamic = output('readelf', ['-d', join(folder, file)])
      const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(match => match[1] as string)
      expect(needed.length).toBeGreaterThan(0)
      const missing = needed.filter(
        library => !SYSTEM_LIBRARIES.linux.test(library) && !existsSync(join(folder, library)),
      )
      expect(missing, file).toEqual([])
      // The path in a binary must not be one of the machine that built it.
      const paths = [...dynamic.matchAll(/\((?:RPATH|RUNPATH)\).*\[(.+)\]/g)].map(match => match[1])
      expect(
        paths.filter(path => path !== '$ORIGIN'),
        file,
      ).toEqual([])
    }
  })

  it.skipIf(process.platform !== 'linux')('finds its libraries beside it, even where the system has its own', () => {
    for (const file of filesIn(folder).filter(file => file.endsWith('.node'))) {
      const resolved = output('ldd', [join(folder, file)])
      for (const beside of filesIn(folder).filter(other => other.includes('.so.'))) {
        expect(resolved).toContain(`${beside} => ${join(folder, beside)} (`)
      }
    }
  })

  it.skipIf(process.platform !== 'linux')('needs no newer system than its page says', () => {
    for (const file of filesIn(folder).filter(isBinary)) {
      const symbols = output('objdump', ['-T', join(folder, file)])
      const versions = [...symbols.matchAll(/\b(GLIBC|GLIBCXX|CXXABI|GCC)_([\d.]+)/g)]
      expect(versions.length).toBeGreaterThan(0)
      const newer = versions.filter(([, kind, version]) =>
        isNewer(version as string, SYMBOL_FLOOR[kind as string] as string),
      )
      expect([...new Set(newer.map(match => match[0]))], file).toEqual([])
    }
    if (name === addonPackage) expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain('glibc 2.34')
    expect(PLATFORMS[platform]?.floor).toContain(`glibc ${SYMBOL_FLOOR.GLIBC}`)
    expect(readFileSync(join(root, 'src/addon.ts'), 'utf8')).toContain(
      `glibc: [${SYMBOL_FLOOR.GLIBC?.replace('.', ', ')}]`,
    )
  })
})

function isNewer(version: string, floor: string): boolean {
  const [a, b] = [version, floor].map(text => text.split('.').map(Number)) as [number[], number[]]
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0)
  }
  return false
}

it('the release workflow builds each platform of the table', () => {
  const workflow = readFileSync(join(root, '.github/workflows/release.yml'), 'utf8')
  const platforms = [...workflow.matchAll(/\{ platform: ([\w-]+),.*?(, cuda: true)? \}/g)]
  expect(platforms.map(match => match[1])).toEqual(Object.keys(PLATFORMS))
})

it('the packages of this platform were made; that of CUDA, where its plug-in was built', () => {
  const built = existsSync(join(root, 'build/Release/libigcnet_cuda.so'))
  expect([...packages.keys()]).toEqual(['igcnet', addonPackage, ...(built ? [cudaPackage] : [])])
})
