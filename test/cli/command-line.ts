/** Runs the command line for tests: in this process with a terminal that remembers, or as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'
import { run } from '../../src/cli/program.ts'

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** What a command printed and how it ended. */
export interface Outcome {
  code: number | null
  signal?: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** The last line of standard output, as JSON. */
export function lastJson(outcome: Outcome): Record<string, unknown> {
  return JSON.parse(outcome.stdout.trimEnd().split('\n').at(-1) ?? '')
}

/** Runs a command in this process. */
export async function igcnet(...argv: string[]): Promise<Outcome> {
  const written = { stdout: '', stderr: '' }
  const stream = (name: keyof typeof written) =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += chunk
        done()
      },
    }) as unknown as NodeJS.WriteStream
  const code = await run(argv, {
    out: text => {
      written.stdout += text
    },
    err: text => {
      written.stderr += text
    },
    progress: json => stream(json ? 'stderr' : 'stdout'),
    columns: () => undefined,
    broken: new AbortController().signal,
    stoppable: false,
  })
  return { code, ...written }
}

const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href
const arguments_ = ['--import', tsx, join(root, 'src/cli/main.ts')]

export interface StartOptions {
  env?: Record<string, string>
  cwd?: string
  /** The entry to start instead of src/cli/main.ts. */
  entry?: string
}

/** Starts a command as a process; `ended` resolves when it is over. It is killed when the test is over. */
export function start(
  argv: readonly string[],
  { env = {}, cwd = root, entry }: StartOptions = {},
): { child: ChildProcess; outcome: Outcome; ended: Promise<Outcome> } {
  const node = entry === undefined ? arguments_ : [...arguments_.slice(0, 2), entry]
  const child = spawn(process.execPath, [...node, ...argv], { cwd, env: { ...process.env, ...env } })
  const outcome: Outcome = { code: null, signal: null, stdout: '', stderr: '' }
  child.stdout.on('data', chunk => {
    outcome.stdout += chunk
  })
  child.stderr.on('data', chunk => {
    outcome.stderr += chunk
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = new Promise<Outcome>(resolve => {
    child.on('close', (code, signal) => resolve(Object.assign(outcome, { code, signal })))
  })
  return { child, outcome, ended }
}

/** Waits until `holds`, for at most a minute. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 60_000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited a minute for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** A folder that is removed when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'igcnet-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
