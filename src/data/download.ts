/**
 * Downloads an archive of a data set, verifies it, and puts its files in place, all or nothing. Checked against local
 * servers (success, cut connection, wrong checksum, HTTP errors, proxy) in test/unit/data-download.test.ts. What it needs
 * is loaded only then: undici reserves gigabytes of addresses as it loads, which a limit (ulimit -v) may refuse.
 */

import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { copyFile, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Dispatcher } from 'undici'
import { makeDirectory } from '../directory.ts'
import { DataError } from '../errors.ts'
import { statOf } from '../file.ts'
import type { OnDownload } from './options.ts'

/** Where a data set comes from. */
export interface Archive {
  /** The address of a .tar.gz file. */
  readonly url: string
  /** Its MD5, as its publisher gives it: it finds damage, and is not a signature. */
  readonly md5: string
}

/** Archives are below 200 MB: a longer answer is something else. */
const MAX_BYTES = 256 * 2 ** 20

/** No byte for this long is a failure. */
const SILENCE_MS = 60_000

const MAX_REDIRECTIONS = 5

/** What is taken out of an archive: regular files of these kinds. */
const WANTED_FILE = /^[\w.-]+\.(bin|txt|html)$/

const PROXY_VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']

/** Downloads under way in this process, by directory: a second one waits for the first. */
const underWay = new Map<string, Promise<void>>()

/** What a download needs to know. */
export interface DownloadRequest {
  /** The name of the data set, for messages. */
  readonly name: string
  readonly archive: Archive
  /** The directory that the archive holds, and that is made on this machine. */
  readonly directory: string
  /** Files that must be in it. */
  readonly files: readonly string[]
  readonly onProgress?: OnDownload | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Downloads and unpacks an archive so that `directory` holds its files. Until everything is verified nothing but a
 * temporary directory beside `directory` is written, and it is removed in any case.
 * @throws DataError naming the address and the reason
 */
export async function download(wanted: DownloadRequest): Promise<void> {
  const { name, archive, directory } = wanted
  const running = underWay.get(directory)
  if (running) return running
  const mine = downloadNow(wanted).catch(cause => {
    const reason = wanted.signal?.aborted ? 'it was stopped' : reasonOf(cause)
    throw new DataError(`${name}: expected to download ${archive.url} to ${directory} but ${reason}`, { cause })
  })
  underWay.set(directory, mine)
  try {
    await mine
  } finally {
    underWay.delete(directory)
  }
}

async function downloadNow({ archive, directory, files, onProgress, signal }: DownloadRequest): Promise<void> {
  const parent = dirname(directory)
  await makeDirectory(parent)
  const temporary = await mkdtemp(join(parent, '.igcnet-download-'))
  try {
    const packed = join(temporary, 'archive.tar.gz')
    await receive(archive, packed, onProgress, signal)
    const { extract } = await import('tar')
    await extract({
      file: packed,
      cwd: temporary,
      strict: true,
      filter: (path, entry) => 'type' in entry && entry.type === 'File' && isWanted(path, basename(directory)),
    })
    await putInPlace(join(temporary, basename(directory)), directory, files)
  } finally {
    // After a damaged archive tar may still be writing for a moment. No failure here is worth hiding the outcome.
    await rm(temporary, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }).catch(() => {})
  }
}

/** `path` is that of a wanted file right inside the directory of the archive. */
function isWanted(path: string, directory: string): boolean {
  const [first, file, ...rest] = path.split('/')
  return first === directory && file !== undefined && rest.length === 0 && WANTED_FILE.test(file)
}

/** Streams the archive to the file `path`; its length and checksum are verified on the way. */
async function receive(
  { url, md5 }: Archive,
  path: string,
  onProgress: DownloadRequest['onProgress'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { Agent, EnvHttpProxyAgent, request } = await import('undici')
  const hasProxy = PROXY_VARIABLES.some(variable => process.env[variable])
  const limits = { headersTimeout: SILENCE_MS, bodyTimeout: SILENCE_MS }
  const hash = createHash('md5')
  let received = 0
  let total: number | undefined
  let dispatcher: Dispatcher | undefined
  try {
    dispatcher = hasProxy ? new EnvHttpProxyAgent(limits) : new Agent(limits)
    const answer = await request(url, {
      dispatcher,
      maxRedirections: MAX_REDIRECTIONS,
      headers: { 'accept-encoding': 'identity', 'user-agent': 'igcnet' },
      signal: signal ?? null,
    })
    if (answer.statusCode !== 200) throw new Error(`the server answered HTTP ${answer.statusCode}`)
    const length = answer.headers['content-length']
    total = typeof length === 'string' ? Number(length) : undefined
    const measured = async function* (source: AsyncIterable<Uint8Array>) {
      for await (const chunk of source) {
        received += chunk.length
        if (received > MAX_BYTES) throw new Error(`the answer is longer than ${MAX_BYTES} bytes`)
        hash.update(chunk)
        await onProgress?.({ received, total })
        yield chunk
      }
    }
    await pipeline(answer.body, measured, createWriteStream(path), signal === undefined ? {} : { signal })
  } catch (cause) {
    const progress = received === 0 ? '' : ` after ${received}${total === undefined ? '' : ` of ${total}`} bytes`
    const proxy = hasProxy ? ' (with the proxy that HTTP_PROXY or HTTPS_PROXY names)' : ''
    throw new Error(`${reasonOf(cause)}${progress}${proxy}`, { cause })
  } finally {
    await dispatcher?.destroy()
  }
  if (total !== undefined && received !== total) throw new Error(`received ${received} bytes instead of ${total}`)
  const digest = hash.digest('hex')
  if (digest !== md5)
    throw new Error(`the MD5 checksum of the ${received} bytes received is ${digest} instead of ${md5}`)
}

/** Moves the unpacked directory in place, or its files one by one if the directory exists. */
async function putInPlace(unpacked: string, directory: string, files: readonly string[]): Promise<void> {
  const present = await readdir(unpacked).catch((): string[] => [])
  const missing = files.filter(file => !present.includes(file))
  if (missing.length > 0)
    throw new Error(`the archive has no ${missing.map(file => `${basename(directory)}/${file}`).join(', ')}`)
  try {
    await rename(unpacked, directory)
  } catch (error) {
    // It exists: with files, or as a link to a folder, or the place where a disk is mounted.
    if (!statOf('download', directory)?.isDirectory()) throw error
    for (const file of present) await move(join(unpacked, file), directory)
  }
}

/** Moves a file into a directory, which may be on another disk: then by a copy, whole under its name or not at all. */
async function move(file: string, directory: string): Promise<void> {
  const target = join(directory, basename(file))
  try {
    await rename(file, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    const unfinished = `${target}.tmp`
    try {
      await copyFile(file, unfinished)
      await rename(unfinished, target)
    } catch (cause) {
      await rm(unfinished, { force: true })
      throw cause
    }
  }
}

/** The text of an error and of what caused it: some of undici's and node's say little by themselves. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(reasonOf).join('; ')
  const { code } = error as NodeJS.ErrnoException
  if (error.message === '') return code ?? error.name
  return code === undefined || error.message.includes(code) ? error.message : `${error.message} (${code})`
}
