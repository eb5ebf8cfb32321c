/**
 * What is published: the main package `igcnet`, and one package a platform with the addon and the libraries that it
 * needs. This table and the repository's package.json are all that scripts/package.mjs makes the packages from. Checked
 * by test/package.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { SetupError } from './run-command.mjs'

/**
 * @typedef {object} Platform
 * @property {string} os as npm and process.platform name it
 * @property {string} cpu
 * @property {string} [libc] the C library that the binaries are for
 * @property {string} floor the oldest system, in words
 * @property {boolean} [cuda] whether the CUDA plug-in has a package of its own there
 */

/** The platforms, by the end of their package's name. src/addon.ts names the same ones. @type {Record<string, Platform>} */
export const PLATFORMS = {
  'linux-x64': {
    ...{ os: 'linux', cpu: 'x64', libc: 'glibc', cuda: true },
    floor:
      'glibc 2.34 and libstdc++ of GCC 11 (Debian 12, Ubuntu 22.04, RHEL 9, Amazon Linux 2023); a processor with AVX2',
  },
  'linux-arm64': {
    ...{ os: 'linux', cpu: 'arm64', libc: 'glibc' },
    floor: 'glibc 2.34 and libstdc++ of GCC 11 (Debian 12, Ubuntu 22.04, RHEL 9, Amazon Linux 2023)',
  },
  'darwin-arm64': { os: 'darwin', cpu: 'arm64', floor: 'macOS 14' },
  'win32-x64': { os: 'win32', cpu: 'x64', floor: 'Windows 10; a processor with AVX2' },
}

/** The newest symbol versions that a binary for Linux may need: the floor above, as the loader counts. */
export const SYMBOL_FLOOR = { GLIBC: '2.34', GLIBCXX: '3.4.29', CXXABI: '1.3.13', GCC: '12.0.0' }

/** Libraries of the system: they are there wherever Node runs, and are never bundled. */
export const SYSTEM_LIBRARIES = {
  linux: /^(lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so\.\d+|ld-linux-[\w-]+\.so\.\d+|linux-vdso\.so\.1)$/,
  darwin: /^(\/usr\/lib\/|\/System\/)/,
  win32:
    /^(kernel32|user32|advapi32|ucrtbase|msvcp140.*|vcruntime140.*|vcomp140|node|api-ms-win-.*|psapi)(\.dll|\.exe)$/i,
}

/** The libraries that may lie beside the addon. Any other is an error, so that none slips in. */
export const BUNDLED = [
  { name: 'oneDNN', file: /^(lib)?dnnl\b/, licence: 'Apache-2.0' },
  { name: 'Highway', file: /^(lib)?hwy\b/, licence: 'Apache-2.0 OR BSD-3-Clause' },
  { name: 'GNU OpenMP runtime', file: /^libgomp\b/, licence: 'GPL-3.0-or-later WITH GCC-exception-3.1' },
  { name: 'LLVM OpenMP runtime', file: /^libomp\b/, licence: 'Apache-2.0 WITH LLVM-exception' },
  {
    name: 'OpenCL loader (which oneDNN of Debian needs; it finds no device unless one is installed)',
    file: /^libOpenCL\b/,
    licence: 'BSD-2-Clause',
  },
]

/** The largest packed size of a platform package, in bytes. */
export const MOST_PACKED_BYTES = 20_000_000

function output(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new SetupError(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`)
  return stdout
}

/**
 * How each system tells what a binary needs, and where the licence of a library is.
 * needs: the libraries that it needs, and those that they need, each `{ file, path }`.
 * licences: the paths of the licence texts of a library.
 * finish: makes a bundled binary find the others beside it (on Linux the addon's own DT_RPATH does), and strips it.
 */
export const SYSTEMS = {
  linux: {
    needs: file =>
      output('ldd', [file])
        .split('\n')
        .map(line => /^\s*(\S+) => (\S+) \(/.exec(line) ?? /^\s*(\S+)()(?: => not found)?/.exec(line))
        .filter(match => match !== null && match[1] !== '')
        .map(match => ({ file: basename(match[1]), path: match[2] || match[1] })),
    licences: path => {
      const owner = output('dpkg', ['-S', realpathSync(path)]).split(':')[0]
      const copyright = join('/usr/share/doc', owner, 'copyright')
      const text = readFileSync(copyright, 'utf8')
      // Debian's texts name the long ones, which lie in one folder.
      const named = new Set(text.match(/\/usr\/share\/common-licenses\/[\w.-]*\w/g) ?? [])
      return [copyright, ...[...named].filter(existsSync)]
    },
    finish: file => void output('strip', ['--strip-unneeded', file]),
  },
  darwin: {
    needs: file => {
      const seen = new Map()
      const visit = binary => {
        for (const line of output('otool', ['-L', binary]).split('\n').slice(1)) {
          const path = /^\s+(\S+) \(/.exec(line)?.[1]
          if (path === undefined || SYSTEM_LIBRARIES.darwin.test(path) || seen.has(basename(path))) continue
          const resolved = path.replace('@rpath', join(output('brew', ['--prefix']).trim(), 'lib'))
          if (basename(resolved) === basename(binary)) continue
          seen.set(basename(path), { file: basename(path), path: resolved })
          visit(resolved)
        }
      }
      visit(file)
      return [...seen.values()]
    },
    // In Homebrew's cellar a formula's folder has its licence at the top.
    licences: path => [join(dirname(dirname(realpathSync(path))), 'LICENSE')].filter(existsSync),
    finish: file => {
      for (const line of output('otool', ['-L', file]).split('\n').slice(1)) {
        const path = /^\s+(\S+) \(/.exec(line)?.[1]
        if (path === undefined || SYSTEM_LIBRARIES.darwin.test(path)) continue
        output('install_name_tool', ['-change', path, `@loader_path/${basename(path)}`, file])
      }
      output('codesign', ['--force', '--sign', '-', file])
    },
  },
  win32: {
    // vcpkg copies the DLLs that a target needs beside it.
    needs: file =>
      [...output('dumpbin', ['/nologo', '/dependents', file]).matchAll(/^\s+(\S+\.(?:dll|exe))\s*$/gim)].map(match => ({
        file: match[1],
        path: join(dirname(file), match[1]),
      })),
    licences: path => {
      const port = BUNDLED.find(({ file }) => file.test(basename(path)))?.name === 'oneDNN' ? 'onednn' : 'highway'
      return [join(process.env.VCPKG_INSTALLED ?? '', 'share', port, 'copyright')].filter(existsSync)
    },
    finish: () => {},
  },
}

/**
 * What must lie beside a binary.
 * @throws {SetupError} for a library that is neither the system's nor in BUNDLED
 */
export function librariesToBundle(file, os) {
  const needed = SYSTEMS[os].needs(file).filter(one => !SYSTEM_LIBRARIES[os].test(one.file))
  return needed.map(one => {
    const known = BUNDLED.find(({ file: name }) => name.test(one.file))
    if (known === undefined) throw new SetupError(`${file} needs ${one.file}, which no package brings`)
    if (!existsSync(one.path)) throw new SetupError(`${one.file}, which ${file} needs, was not found`)
    return { ...one, known }
  })
}
