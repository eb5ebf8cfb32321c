/** Runs a piece of JavaScript with igcnet in a process of its own, where it may crash, exit or fill the memory. */
import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const source = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href)

/** The file of the addon, for scripts that load it without the rest of igcnet, in a worker for example. */
export const addonPath = resolve(process.env.IGCNET_NATIVE || join(root, 'build', 'Release', 'igcnet.node'))

/** For tests of resident memory: V8 enlarges its young generation by tens of MiB when it likes, and none of that is ours. */
export const steadyHeap = ['--max-semi-space-size=1']

export interface ChildOptions {
  /** Of Node, before the script. */
  nodeArgs?: string[]
  env?: Record<string, string>
  /** Milliseconds until it is killed; then `signal` is SIGKILL. Default: 50 s, under the limit of a test. */
  timeout?: number
}

export interface ChildResult {
  status: number | null
  signal: string | null
  stdout: string
  stderr: string
}

/** Runs Node with tsx: arguments as on the command line. */
export function runNode(args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  const { nodeArgs = [], env = {}, timeout = 50_000 } = options
  const child = spawn(process.execPath, ['--import', 'tsx', ...nodeArgs, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout,
    killSignal: 'SIGKILL',
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', chunk => {
    stdout += chunk
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  return new Promise((settle, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => settle({ status, signal, stdout, stderr }))
  })
}

/** Runs a module in which `native` is the addon and `igcnet` the whole library. */
export function runScript(code: string, options: ChildOptions = {}): Promise<ChildResult> {
  const prelude = `import { native } from ${source('native.ts')}\nimport * as igcnet from ${source('index.ts')}\n`
  return runNode(['--input-type=module', '-e', prelude + code], options)
}

/** Runs a module as runScript does, and returns the JSON that it printed on its last line. */
export async function resultOf<T>(code: string, options: ChildOptions = {}): Promise<T> {
  const { status, signal, stdout, stderr } = await runScript(code, options)
  if (status !== 0) throw new Error(`the child ended with ${signal ?? status}:\n${stderr}`)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as T
}
