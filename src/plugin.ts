/**
 * The device `cuda` is a plug-in, libigcnet_cuda.so, that is looked for when it is first asked for: beside the addon,
 * and in the package @igcnet/linux-x64-cuda. What a broken driver does to a process is that process's own: so a child
 * loads the plug-in and looks at the machine first, and only when that went well is it loaded here. The answer is
 * remembered. Checked in test/cuda/plugin.test.ts.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { findPackage, platformPackage } from './addon.ts'
import { DeviceError } from './errors.ts'

/** What was found: the plug-in and what its device is, or the reason why there is none, without a full stop. */
export type PluginProbe = { works: true; plugin: string; text: string } | { works: false; text: string }

/** The device behind a name: its own name, and the plug-in that makes it unless the addon does. */
export interface ResolvedDevice {
  name: string
  plugin?: string
  ordinal?: number
}

const FILE = process.platform === 'win32' ? 'igcnet_cuda.dll' : 'libigcnet_cuda.so'
const PROBE_MS = 60_000
const known = new Map<number, PluginProbe>()

/** Runs in the child: prints what the plug-in finds. */
const CHILD = `
const [addon, plugin, ordinal] = process.argv.slice(1)
const loaded = { exports: {} }
let found
try {
  process.dlopen(loaded, addon)
  found = loaded.exports.pluginProbe({ plugin, ordinal: Number(ordinal) })
} catch (error) {
  found = { works: false, text: error.message }
}
process.stdout.write(JSON.stringify(found))
process.exit(0)
`

/** Whether the device cuda:`ordinal` can be had; `addon` is the path of the native addon. */
export function probeCuda(addon: string, ordinal = 0): PluginProbe {
  const before = known.get(ordinal)
  if (before !== undefined) return before
  const found = probe(addon, ordinal)
  known.set(ordinal, found)
  return found
}

/** The plug-in's path, or why there is none: beside the addon, where a local build puts it, then its own package. */
function findPlugin(addon: string): { plugin: string } | { reason: string } {
  const asked = process.env.IGCNET_CUDA_PLUGIN
  const local = asked ? resolve(asked) : join(dirname(addon), FILE)
  if (existsSync(local)) return { plugin: local }
  if (asked) return { reason: `the plug-in ${local} is not there (the value of IGCNET_CUDA_PLUGIN)` }
  const name = platformPackage('-cuda')
  const found = findPackage(name)
  if ('folder' in found) return { plugin: join(found.folder, FILE) }
  return {
    reason:
      `there is no plug-in: ${local} is not there (\`npm run build:cuda\` builds it in a clone), and the package ` +
      `${name} was refused: ${found.reason}`,
  }
}

function probe(addon: string, ordinal: number): PluginProbe {
  const search = findPlugin(addon)
  if ('reason' in search) return { works: false, text: search.reason }
  const { plugin } = search
  const { status, signal, error, stdout } = spawnSync(
    process.execPath,
    ['-e', CHILD, '--', addon, plugin, String(ordinal)],
    { encoding: 'utf8', timeout: PROBE_MS, env: { ...process.env, NODE_OPTIONS: '' } },
  )
  if (error !== undefined && 'code' in error && error.code === 'ETIMEDOUT') {
    return { works: false, text: `the process that looked at the GPU gave no answer for ${PROBE_MS / 1000} s` }
  }
  if (status !== 0) {
    const how = error?.message ?? (signal ? `was ended by ${signal}` : `failed with exit code ${status}`)
    return { works: false, text: `the process that looked at the GPU ${how}` }
  }
  const found = JSON.parse(stdout) as { works: boolean; text: string }
  return found.works ? { works: true, plugin, text: found.text } : { works: false, text: found.text }
}

let noted = false

/**
 * Resolves `cuda`, `cuda:N` and `auto`. `auto` is `cuda` where it can be had, and else `cpu`, with the reason once on
 * standard error.
 * @throws DeviceError for cuda: one sentence with the reason
 */
export function resolveDevice(addon: string, name: string): ResolvedDevice {
  const cuda = /^(?:auto|cuda|cuda:(\d{1,3}))$/.exec(name)
  if (cuda === null) {
    throw new DeviceError(`device: expected cpu, reference, cuda, cuda:N or auto but received ${name.slice(0, 40)}`)
  }
  const ordinal = Number(cuda[1] ?? 0)
  const found = probeCuda(addon, ordinal)
  if (found.works) return { name: ordinal === 0 ? 'cuda' : `cuda:${ordinal}`, plugin: found.plugin, ordinal }
  if (name !== 'auto') throw new DeviceError(`device ${name} is not available: ${found.text}`)
  if (!noted) process.stderr.write(`igcnet: running on the CPU: ${found.text}\n`)
  noted = true
  return { name: 'cpu' }
}
