/**
 * A contestant: a process that lives as long as the comparison, takes one JSON command a line and answers with one JSON
 * line. It is stopped (SIGSTOP) while it has nothing to do, so that no thread of it spins while another one is measured.
 * Checked in test/benchmarks/rivals.test.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { ContestantName, RivalCase } from './cases.ts'

/**
 * prepare: builds the case, in place of the one before, and computes it once. window: repeats it, and gives the
 * milliseconds. memory: the peak of the process, now and before the first case. version: of the library.
 */
export type Request =
  | { command: 'prepare'; case: RivalCase }
  | { command: 'window'; count: number }
  | { command: 'memory' }
  | { command: 'version' }

export interface Reply {
  /** Numbers by name that must agree between contestants. */
  results?: Record<string, number[]>
  ms?: number
  peak?: number
  baseline?: number
  version?: string
  error?: string
}

export interface StartOptions {
  threads: number
  /** A Python with PyTorch. */
  python: string
}

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))

function commandOf(name: ContestantName, { threads, python }: StartOptions): string[] {
  const tsx = pathToFileURL(file('../../node_modules/tsx/dist/loader.mjs')).href
  if (name.startsWith('ours')) {
    return [process.execPath, '--import', tsx, file('ours-child.ts'), String(threads)]
  }
  if (name === 'ort') return [process.execPath, '--import', tsx, file('onnxruntime-child.mjs'), String(threads), python]
  return [python, file('torch_child.py'), '--variant', name, '--threads', String(threads)]
}

/** Our kernels, and oneDNN under the names of its versions 2 and 3. */
const AVX2 = { IGCNET_SIMD: 'avx2', DNNL_MAX_CPU_ISA: 'AVX2', ONEDNN_MAX_CPU_ISA: 'AVX2' }

/** Variables of the environment that make one of ours another one. */
const VARIANTS: Partial<Record<ContestantName, Record<string, string>>> = {
  'ours-avx2': AVX2,
  'ours-cudnn': { IGCNET_CUDA_IGC: 'cudnn' },
}

export class Contestant {
  readonly name: ContestantName
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #reader: Interface
  readonly #kill = () => {
    this.#child.kill('SIGKILL')
  }
  #failure = ''

  constructor(name: ContestantName, options: StartOptions) {
    this.name = name
    const [program = '', ...args] = commandOf(name, options)
    const threads = { OMP_NUM_THREADS: String(options.threads), IGCNET_THREADS: String(options.threads) }
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...threads, ...VARIANTS[name] }
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr?.on('data', text => {
      this.#failure = `${this.#failure}${text}`.slice(-2000)
    })
    this.#child.stdin?.on('error', () => {}) // the process is gone: `ask` says so
    this.#child.on('error', error => {
      this.#failure += error.message
      this.#reader.close()
    })
    this.#reader = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })
    this.#lines = this.#reader[Symbol.asyncIterator]()
    process.on('exit', this.#kill)
  }

  /** Wakes the contestant, waits for its answer and lets it sleep again. @throws Error with what it said */
  async ask(request: Request): Promise<Reply> {
    this.#child.kill('SIGCONT')
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#lines.next()
    this.#child.kill('SIGSTOP')
    if (done) throw new Error(`${this.name}: ended: ${this.#failure.trim()}`)
    const reply = JSON.parse(value) as Reply
    if (reply.error !== undefined) throw new Error(`${this.name}: ${reply.error}\n${this.#failure.trim()}`)
    return reply
  }

  /** Ends the process. */
  close(): void {
    process.off('exit', this.#kill)
    this.#kill()
  }
}
