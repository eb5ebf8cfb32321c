/** The package.json of each published package, made from the repository's. Checked by test/package. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './inputs.mjs'
import { PLATFORMS } from './platforms.mjs'

/** The repository's package.json. */
export const repository = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** What only a build from source needs. */
const BUILD_DEPENDENCIES = ['cmake-js', 'node-addon-api']

/** What only the repository has. */
const LEFT_OUT = ['private', 'scripts', 'devDependencies', 'overrides', 'binary', 'files', 'dependencies']

/** The names of all platform packages. */
export function platformPackages() {
  return Object.entries(PLATFORMS).flatMap(([platform, { cuda }]) =>
    ['', ...(cuda ? ['-cuda'] : [])].map(suffix => `@igcnet/${platform}${suffix}`),
  )
}

/** Of `igcnet`: no install script, nothing to build, and every platform package in exactly this version. */
export function mainManifest() {
  const kept = Object.entries(repository).filter(([key]) => !LEFT_OUT.includes(key))
  const dependencies = Object.entries(repository.dependencies).filter(([name]) => !BUILD_DEPENDENCIES.includes(name))
  return {
    ...Object.fromEntries(kept),
    dependencies: Object.fromEntries(dependencies),
    optionalDependencies: Object.fromEntries(platformPackages().map(name => [name, repository.version])),
  }
}

/** Of `@igcnet/<platform>` and `@igcnet/<platform>-cuda`. */
export function platformManifest(platform, { cuda = false, licence }) {
  const { os, cpu, libc } = PLATFORMS[platform]
  const { version, engines } = repository
  return {
    name: `@igcnet/${platform}${cuda ? '-cuda' : ''}`,
    version,
    description: cuda ? `The CUDA plug-in of igcnet for ${platform}` : `The native addon of igcnet for ${platform}`,
    license: licence,
    ...Object.fromEntries(
      Object.entries(repository).filter(([key]) => ['repository', 'homepage', 'bugs'].includes(key)),
    ),
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc === undefined ? {} : { libc: [libc] }),
    preferUnplugged: true,
  }
}
