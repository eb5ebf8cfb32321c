/**
 * Facts about this machine and what igcnet finds on it, for `igcnet doctor`. The addon is loaded here, in a function,
 * so that a machine where it cannot be loaded is described too. Checked in test/cli/doctor.test.ts.
 */
import { existsSync, readFileSync } from 'node:fs'
import os from 'node:os'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DeviceInfo } from '../device.ts'
import { sentenceOf } from './failure.ts'
import { packageVersion } from './version.ts'

/** A device: what it says of itself, or why it cannot be had. */
export type DeviceReport =
  | { works: true; threads: number }
  | { works: true; what: string }
  | { works: false; reason: string }

/** Everything that `doctor` finds. Sizes in bytes. */
export interface MachineReport {
  versions: { igcnet: string; node: string; napi: string }
  platform: { os: string; arch: string; release: string; libc: string }
  processor: { model: string; cores: number; instructionSets: string[] | null }
  memory: { total: number; free: number }
  addon: { loaded: true; path: string | null } | { loaded: false; reason: string }
  /** With what the device cpu computes; null without the addon. */
  kernels: DeviceInfo | null
  /** File names of the shared libraries that the addon brought in; null where the system does not tell. */
  libraries: { onednn: string | null; openmp: string | null }
  devices: { cpu: DeviceReport; reference: DeviceReport; cuda: DeviceReport }
  /** The IGCNET_* variables that are set. */
  environment: Record<string, string>
  /** For each data set its path or 'complete', or why it cannot be used. */
  data: Record<string, { found: true } | { found: false; reason: string }>
}

/** Looks at the machine; `dataDir` is where the CIFAR files may be. */
export async function inspectMachine(dataDir: string): Promise<MachineReport> {
  const addon = await loadAddon()
  const unloaded = { works: false, reason: 'the native addon is not loaded' } as const
  return {
    versions: { igcnet: packageVersion(), node: process.version, napi: process.versions.napi ?? 'unknown' },
    platform: { os: process.platform, arch: process.arch, release: os.release(), libc: libc() },
    processor: {
      model: os.cpus()[0]?.model.trim() ?? 'unknown',
      cores: os.availableParallelism(),
      instructionSets: instructionSets(),
    },
    memory: { total: os.totalmem(), free: os.freemem() },
    addon,
    kernels: addon.loaded ? await kernelInfo() : null,
    libraries: { onednn: sharedLibrary(/^(lib)?dnnl\b/), openmp: sharedLibrary(/^(lib)?(gomp|omp|iomp5|vcomp)/) },
    devices: {
      cpu: addon.loaded ? await tryDevice('cpu') : unloaded,
      reference: addon.loaded ? await tryDevice('reference') : unloaded,
      cuda: addon.loaded ? await tryCuda() : unloaded,
    },
    environment: Object.fromEntries(
      Object.entries(process.env).flatMap(([name, value = '']) => (name.startsWith('IGCNET_') ? [[name, value]] : [])),
    ),
    data: addon.loaded ? await findData(dataDir) : { digits: digitsFile() },
  }
}

async function loadAddon(): Promise<MachineReport['addon']> {
  try {
    await import('../tensor.ts')
    return { loaded: true, path: sharedObjects().find(path => basename(path) === 'igcnet.node') ?? null }
  } catch (error) {
    return { loaded: false, reason: sentenceOf(error) }
  }
}

/** Null where the device cannot be had; `devices` says why. */
async function kernelInfo(): Promise<DeviceInfo | null> {
  try {
    const { info } = await import('../device.ts')
    return info('cpu')
  } catch {
    return null
  }
}

/** Looks in a process of its own first, which a broken driver may end. */
async function tryCuda(): Promise<DeviceReport> {
  const { cuda } = await import('../device.ts')
  const { works, text } = cuda()
  if (!works) return { works, reason: text }
  const report = await tryDevice('cuda')
  return report.works ? { works, what: text } : report
}

/** Computes something, so that "works" means it. */
async function tryDevice(name: 'cpu' | 'reference' | 'cuda'): Promise<DeviceReport> {
  try {
    const { tensor } = await import('../tensor.ts')
    const { relu } = await import('../ops/index.ts')
    const { tidy } = await import('../scope.ts')
    const { defaultThreads } = await import('../device.ts')
    // No `using` in a function that imports: tsc 5.9 then leaves the names of the files as they are.
    const result = await tidy(() => relu(tensor([-1, 2], [2], { device: name })).data())
    if (result[0] !== 0 || result[1] !== 2) return { works: false, reason: `relu of -1, 2 is ${result.join(', ')}` }
    return { works: true, threads: name === 'reference' ? 1 : defaultThreads() }
  } catch (error) {
    return { works: false, reason: sentenceOf(error) }
  }
}

function digitsFile(): { found: true } | { found: false; reason: string } {
  const path = fileURLToPath(new URL('../../data/digits.csv.gz', import.meta.url))
  return existsSync(path) ? { found: true } : { found: false, reason: `${path} is missing, which is part of igcnet` }
}

async function findData(root: string): Promise<MachineReport['data']> {
  const { cifar10, cifar100 } = await import('../data/index.ts')
  const found: MachineReport['data'] = { digits: digitsFile() }
  for (const [name, open] of Object.entries({ cifar10, cifar100 })) {
    try {
      // A loader looks for its files, and at their sizes, when it is made.
      for (const split of ['train', 'test'] as const) await open({ root, split, batchSize: 1 }).close()
      found[name] = { found: true }
    } catch (error) {
      found[name] = { found: false, reason: sentenceOf(error) }
    }
  }
  return found
}

interface NodeReport {
  header: { glibcVersionRuntime?: string }
  sharedObjects: string[]
}

function nodeReport(): NodeReport {
  return process.report.getReport() as unknown as NodeReport
}

function libc(): string {
  if (process.platform !== 'linux') return 'of the system'
  const version = nodeReport().header.glibcVersionRuntime
  return version === undefined ? 'not glibc (musl?)' : `glibc ${version}`
}

function sharedObjects(): string[] {
  return nodeReport().sharedObjects
}

function sharedLibrary(name: RegExp): string | null {
  return (
    sharedObjects()
      .map(path => basename(path))
      .find(file => name.test(file)) ?? null
  )
}

/** What the processor offers to our kernels, widest first; null where the system does not tell. */
function instructionSets(): string[] | null {
  let text: string
  try {
    text = readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return null
  }
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/))
  const wanted = { avx512: ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl'], avx2: ['avx2', 'fma'], neon: ['asimd'] }
  return Object.entries(wanted).flatMap(([name, needed]) => (needed.every(flag => flags.has(flag)) ? [name] : []))
}
