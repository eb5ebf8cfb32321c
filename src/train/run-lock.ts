/**
 * One run at a time writes into a run folder. Its lock is the file `run.lock`, made with O_EXCL, which names the process
 * that holds it and is touched every second. Checked in test/unit/run-lock.test.ts.
 *
 * A lock outlives its process when that is killed. Whoever finds one looks for the process: a process is known by the boot
 * of its machine, its PID namespace, its PID and its start. Where that cannot tell (another machine or container on the
 * same disk, a system without /proc, another thread of this process, which may have been terminated), a lock that is not
 * touched for ten seconds belongs to nobody; clocks of different machines are not compared. A stale lock is removed under a
 * lock of its own, so that nobody removes the next holder's. Should a holder that stood still wake up later (a paused
 * container), it finds that its lock is lost before it writes.
 */
import { randomUUID } from 'node:crypto'
import { constants, readFileSync, readlinkSync } from 'node:fs'
import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DataError } from '../errors.ts'

/** The file in a run folder; there while a run writes into it. */
export const LOCK = 'run.lock'

const TOUCH_MS = 1000
const SILENCE_MS = 10_000
const LOOK_MS = 200

/** What a lock says of its holder. */
interface Holder {
  pid: number
  host: string
  /** The running system in which the PID means something; undefined where that is not known. */
  system: string | undefined
  /** When the process started, in ticks since the boot; undefined where that is not known. */
  start: string | undefined
  /** Of this lock alone. */
  id: string
}

/** A lock as it was found. */
interface Found {
  /** Undefined while it is being written, and for what a crash left in the middle of that. */
  holder: Holder | undefined
  /** Another one after every touch, and for every other file. */
  version: string
}

/** Fields 3 and 22 of /proc/PID/stat; the name of the program before them may have spaces. */
function statusOf(pid: number): { state: string | undefined; start: string | undefined } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return { state: fields[0], start: fields[19] }
  } catch {
    return undefined
  }
}

function systemOf(): string | undefined {
  if (process.platform !== 'linux') return hostname()
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return undefined // a name of the host would not tell its containers apart
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' // another user's
  }
}

/** The locks that this thread holds. */
const heldHere = new Set<string>()

/** Whether the thread that took a lock is there; undefined where that cannot be known. */
function isAlive({ pid, system, start, id }: Holder): boolean | undefined {
  if (heldHere.has(id)) return true
  if (system === undefined || system !== systemOf()) return undefined
  if (!isRunning(pid)) return false
  const found = statusOf(pid)
  if (found?.state === 'Z') return false // it ended; in a container often nobody asks how
  if (start === undefined || found?.start === undefined) return undefined
  if (start !== found.start) return false
  return pid === process.pid ? undefined : true
}

function isHolder(value: unknown): value is Holder {
  const { pid, host, id } = (value ?? {}) as Partial<Holder>
  return Number.isSafeInteger(pid) && (pid as number) > 0 && typeof host === 'string' && typeof id === 'string'
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder: unknown = JSON.parse(text)
    return isHolder(holder) ? holder : undefined
  } catch {
    return undefined
  }
}

/**
 * The lock at a path, or undefined. It is opened, since network file systems are up to date then only. Links are not
 * followed, and FIFOs not waited for: they are no locks.
 */
async function find(path: string): Promise<Found | undefined> {
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
    const stats = await file.stat({ bigint: true })
    const { ino, mtimeNs } = stats
    if (!stats.isFile()) throw new DataError(`run folder: expected a file for the lock ${path} but it is none`)
    return { holder: parseHolder(await file.readFile('utf8')), version: `${ino}-${mtimeNs}` }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  } finally {
    await file?.close()
  }
}

/** Looks at a lock until it is known whether somebody holds it. Returns its holder, or the version that nobody holds. */
async function judge(path: string, found: Found): Promise<{ heldBy: Holder } | { stale: string } | 'gone'> {
  const end = performance.now() + SILENCE_MS
  for (let now: Found | undefined = found; now !== undefined; now = await find(path)) {
    const alive = now.holder && isAlive(now.holder)
    if (alive === false) return { stale: now.version }
    if (now.holder && (alive || now.version !== found.version)) return { heldBy: now.holder }
    if (performance.now() > end) return { stale: now.version }
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  }
  return 'gone'
}

/** A lock that this process holds. */
export class RunLock {
  readonly folder: string
  readonly #path: string
  readonly #id: string
  readonly #file: FileHandle
  readonly #touching: NodeJS.Timeout

  private constructor(folder: string, path: string, id: string, file: FileHandle) {
    this.folder = folder
    this.#path = path
    this.#id = id
    this.#file = file
    heldHere.add(id)
    // Through the open file: if the lock is lost, not the next holder's.
    const touch = () => void file.utimes(new Date(), new Date()).catch(() => {})
    this.#touching = setInterval(touch, TOUCH_MS).unref()
  }

  /**
   * Locks a folder that exists, or the lock `name` in it.
   * @throws DataError naming the folder and the process that writes into it; the system's errors
   */
  static async acquire(folder: string, name: string = LOCK): Promise<RunLock> {
    const path = join(folder, name)
    while (true) {
      const made = await RunLock.#make(folder, path)
      if (made) return made
      const found = await find(path)
      const judged = found ? await judge(path, found) : 'gone'
      if (judged === 'gone') continue
      if ('heldBy' in judged) throw heldError(folder, path, judged.heldBy)
      const removal = await RunLock.acquire(folder, `${name}.${judged.stale}`)
      try {
        if ((await find(path))?.version === judged.stale) await rm(path, { force: true })
      } finally {
        await removal.release()
      }
    }
  }

  /** Makes the file, unless there is one. */
  static async #make(folder: string, path: string): Promise<RunLock | undefined> {
    let file: FileHandle
    try {
      file = await open(path, 'wx')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
      throw error
    }
    const { pid } = process
    const holder: Holder = { pid, host: hostname(), system: systemOf(), start: statusOf(pid)?.start, id: randomUUID() }
    try {
      await file.writeFile(`${JSON.stringify(holder)}\n`)
    } catch (error) {
      await file.close()
      await rm(path, { force: true })
      throw error
    }
    return new RunLock(folder, path, holder.id, file)
  }

  /** @throws DataError when the lock is another's, or removed: then somebody else may write */
  async check(): Promise<void> {
    if (await this.#isHeld()) return
    throw new DataError(
      `run folder: expected ${this.#path} to be this run's but it is gone or another's: the run ends without writing`,
    )
  }

  /** Lets the next run in. */
  async release(): Promise<void> {
    clearInterval(this.#touching)
    heldHere.delete(this.#id)
    try {
      if (await this.#isHeld()) await rm(this.#path, { force: true })
    } catch {
      // A folder that is gone or read-only: the lock is stale when this process ends.
    } finally {
      await this.#file.close()
    }
  }

  async #isHeld(): Promise<boolean> {
    const text = await readFile(this.#path, 'utf8').catch(() => '')
    return parseHolder(text)?.id === this.#id
  }
}

function heldError(folder: string, path: string, { pid, host }: Holder): DataError {
  const who = pid === process.pid && host === hostname() ? `this process (${pid})` : `process ${pid} on ${host}`
  return new DataError(
    `run folder: expected a folder that no other run writes into but received ${folder}, into which ${who} writes (${path})`,
  )
}
