/**
 * Downloads (src/data/download.ts) from servers on this machine: success, every way to fail, proxies. After each
 * failure nothing may be left behind; each failure is one DataError with the address and the reason.
 */

import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { create } from 'tar'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type CifarFormat, openCifar } from '../../src/data/cifar.ts'
import { type Archive, type DownloadRequest, download } from '../../src/data/download.ts'
import type { DownloadProgress } from '../../src/data/options.ts'
import { DataError } from '../../src/errors.ts'
import { collect, recordFile, SMALL10, temporaryDirectory, writeRecordFiles } from '../support/data-samples.ts'

const DIRECTORY = 'cifar-10-batches-bin'
const FILES = [...SMALL10.files.train, ...SMALL10.files.test]
const PROXY_VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY']

let home = ''
let root = ''
let cleanUp: (() => unknown)[] = []

beforeEach(() => {
  for (const variable of PROXY_VARIABLES) vi.stubEnv(variable, undefined)
  const temporary = temporaryDirectory()
  cleanUp = [temporary.remove]
  home = temporary.path
  root = join(home, 'root')
  mkdirSync(root)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const step of cleanUp.reverse()) await step()
})

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}

/** Starts a server; returns its address. */
async function serve(listener: RequestListener, server: Server = createServer(listener)): Promise<string> {
  await new Promise<void>(started => server.listen(0, '127.0.0.1', started))
  cleanUp.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Serves bytes as the archive. */
async function serveBytes(bytes: Uint8Array): Promise<Archive> {
  const address = await serve((_, answer) => answer.writeHead(200, { 'content-length': bytes.length }).end(bytes))
  return { url: `${address}/cifar.tar.gz`, md5: md5(bytes) }
}

/** Packs what `fill` puts into a directory. */
async function pack(fill: (directory: string) => void, names = [DIRECTORY]): Promise<Uint8Array> {
  const source = temporaryDirectory()
  cleanUp.push(source.remove)
  fill(source.path)
  const file = join(source.path, 'packed.tar.gz')
  await create({ file, cwd: source.path, gzip: true, preservePaths: true }, names)
  return readFileSync(file)
}

function packSmall10(): Promise<Uint8Array> {
  return pack(path => writeRecordFiles(SMALL10, join(path, DIRECTORY)))
}

function wanted(archive: Archive, more: Partial<DownloadRequest> = {}): DownloadRequest {
  return { name: 'cifar10', archive, directory: join(root, DIRECTORY), files: FILES, ...more }
}

/** The download fails with this reason and leaves nothing behind. */
async function expectFailure(archive: Archive, reason: string | RegExp, more: Partial<DownloadRequest> = {}) {
  const before = readdirSync(root)
  const error = await download(wanted(archive, more)).catch(error => error)
  expect(error).toBeInstanceOf(DataError)
  const start = `cifar10: expected to download ${archive.url} to ${join(root, DIRECTORY)} but `
  expect(error.message.slice(0, start.length)).toBe(start)
  if (typeof reason === 'string') expect(error.message.slice(start.length)).toBe(reason)
  else expect(error.message.slice(start.length)).toMatch(reason)
  expect(readdirSync(root)).toEqual(before)
}

describe('a good download', () => {
  it('has all files in place, nothing else, and tells how far it is', async () => {
    const archive = await serveBytes(await packSmall10())
    const steps: DownloadProgress[] = []
    await download(wanted(archive, { onProgress: progress => steps.push(progress) }))
    expect(readdirSync(root)).toEqual([DIRECTORY])
    expect(readdirSync(join(root, DIRECTORY)).sort()).toEqual([...FILES].sort())
    const bytes = readFileSync(join(root, DIRECTORY, 'data_batch_2.bin'))
    expect(bytes.equals(recordFile(SMALL10, 20, 1))).toBe(true)
    expect(steps.length).toBeGreaterThan(1)
    expect(steps.map(step => step.received)).toEqual(steps.map(step => step.received).toSorted((a, b) => a - b))
    expect(steps.at(-1)?.received).toBe(steps.at(-1)?.total)
  })

  it('follows a redirection, and needs no content-length', async () => {
    const bytes = await packSmall10()
    const address = await serve((request, answer) => {
      if (request.url === '/real') answer.writeHead(200).end(bytes)
      else answer.writeHead(302, { location: '/real' }).end()
    })
    const totals: unknown[] = []
    const onProgress = (progress: DownloadProgress) => totals.push(progress.total)
    await download(wanted({ url: `${address}/old`, md5: md5(bytes) }, { onProgress }))
    expect(readdirSync(join(root, DIRECTORY)).length).toBe(FILES.length)
    expect(new Set(totals)).toEqual(new Set([undefined]))
  })

  it('completes a directory that has some files', async () => {
    mkdirSync(join(root, DIRECTORY))
    writeFileSync(join(root, DIRECTORY, 'mine.txt'), 'mine')
    await download(wanted(await serveBytes(await packSmall10())))
    expect(readdirSync(join(root, DIRECTORY)).sort()).toEqual([...FILES, 'mine.txt'].sort())
    expect(readdirSync(root)).toEqual([DIRECTORY])
  })

  it.each([() => join(home, 'disk'), () => (existsSync('/dev/shm') ? '/dev/shm' : home)])(
    'fills a folder that a link leads to',
    async place => {
      mkdirSync(join(home, 'disk'))
      const target = mkdtempSync(join(place(), 'igcnet-test-'))
      cleanUp.push(() => rmSync(target, { recursive: true }))
      symlinkSync(target, join(root, DIRECTORY))
      await download(wanted(await serveBytes(await packSmall10())))
      expect(readdirSync(target).sort()).toEqual([...FILES].sort())
      expect(readdirSync(root)).toEqual([DIRECTORY])
    },
  )

  it('feeds loaders that ask for it, once for both', async () => {
    const bytes = await packSmall10()
    let requests = 0
    const address = await serve((_, answer) => {
      requests++
      answer.end(bytes)
    })
    const format: CifarFormat = { ...SMALL10, archive: { url: `${address}/cifar.tar.gz`, md5: md5(bytes) } }
    const options = { root, batchSize: 10, download: true } as const
    await using train = openCifar(format, { ...options, split: 'train' })
    await using test = openCifar(format, { ...options, split: 'test' })
    const [, batches] = await Promise.all([train.ready(), collect(test.plainBatches())])
    expect(Array.from(batches[0]?.labels ?? [])).toEqual(Array.from({ length: 10 }, (_, i) => (i + 5) % 10))
    expect(requests).toBe(1)
    await using again = openCifar(format, { ...options, split: 'train' })
    await again.ready()
    expect(requests).toBe(1)
  })
})

describe('a failed download', () => {
  it.each([true, false])('ends with what its handler throws or rejects with (%s)', async isAsync => {
    const archive = await serveBytes(await packSmall10())
    const fail = () => {
      throw new Error('enough')
    }
    await expectFailure(archive, /^enough after \d+ of \d+ bytes$/, { onProgress: isAsync ? async () => fail() : fail })
  })

  it('says which HTTP status came', async () => {
    const address = await serve((_, answer) => answer.writeHead(404).end('no such page'))
    await expectFailure({ url: `${address}/gone.tar.gz`, md5: '' }, 'the server answered HTTP 404')
  })

  it('notices a connection that is cut', async () => {
    const bytes = await packSmall10()
    const address = await serve((_, answer) => {
      answer.writeHead(200, { 'content-length': bytes.length })
      answer.write(bytes.subarray(0, 100_000), () => answer.destroy())
    })
    const reason = new RegExp(`^(other side closed|terminated|aborted).* after \\d+ of ${bytes.length} bytes$`)
    await expectFailure({ url: address, md5: md5(bytes) }, reason)
  })

  it('notices a connection that is cut in an answer of unknown length', async () => {
    const bytes = await packSmall10()
    const address = await serve((_, answer) => {
      answer.writeHead(200)
      answer.write(bytes.subarray(0, 100_000), () => answer.destroy())
    })
    await expectFailure({ url: address, md5: md5(bytes) }, /^(other side closed|terminated|aborted).* after \d+ bytes$/)
  })

  it('notices a wrong checksum', async () => {
    const bytes = await packSmall10()
    const { url } = await serveBytes(bytes)
    await expectFailure(
      { url, md5: '00000000000000000000000000000000' },
      `the MD5 checksum of the ${bytes.length} bytes received is ${md5(bytes)} instead of 00000000000000000000000000000000`,
    )
  })

  it('says that nobody listens', async () => {
    const server = createServer()
    const url = await serve(() => {}, server)
    await new Promise(closed => server.close(closed))
    await expectFailure({ url, md5: '' }, /^connect ECONNREFUSED 127\.0\.0\.1:\d+$/)
  })

  it('refuses what is no archive', async () => {
    await expectFailure(await serveBytes(Buffer.from('<html>Welcome to the hotel</html>')), /TAR_BAD_ARCHIVE/)
  })

  it('refuses an archive that is cut short', async () => {
    const bytes = await packSmall10()
    await expectFailure(await serveBytes(bytes.subarray(0, bytes.length / 2)), /zlib|unexpected end|TAR_BAD_ARCHIVE/)
  })

  it('refuses an archive without the files', async () => {
    const bytes = await pack(path => {
      mkdirSync(join(path, DIRECTORY))
      writeFileSync(join(path, DIRECTORY, 'test_batch.bin'), 'x')
    })
    const names = SMALL10.files.train.map(file => `${DIRECTORY}/${file}`).join(', ')
    await expectFailure(await serveBytes(bytes), `the archive has no ${names}`)
  })

  it('writes nothing outside, whatever paths and links an archive has', async () => {
    const outside = join(home, 'outside.bin')
    const bytes = await pack(
      path => {
        mkdirSync(join(path, DIRECTORY, 'deep'), { recursive: true })
        writeFileSync(join(path, 'inner.bin'), 'evil')
        writeFileSync(join(path, DIRECTORY, 'deep', 'data_batch_1.bin'), 'evil')
        symlinkSync(outside, join(path, DIRECTORY, 'data_batch_2.bin'))
      },
      [DIRECTORY, `${DIRECTORY}/../inner.bin`, 'inner.bin'],
    )
    await expectFailure(await serveBytes(bytes), /^the archive has no .*data_batch_1\.bin, .*data_batch_2\.bin/)
    expect(existsSync(outside)).toBe(false)
    expect(readdirSync(home)).toEqual(['root'])
  })

  it('says why a directory cannot be made', async () => {
    const archive = await serveBytes(await packSmall10())
    writeFileSync(join(root, 'file'), '')
    const directory = join(root, 'file', DIRECTORY)
    const message = `cifar10: expected to download ${archive.url} to ${directory} but `
    await expect(download(wanted(archive, { directory }))).rejects.toThrow(message)
    await expect(download(wanted(archive, { directory }))).rejects.toThrow(/ENOTDIR|EEXIST/)
  })

  it('stops when the loader is closed', async () => {
    let begun: () => void
    const started = new Promise<void>(resolve => {
      begun = resolve
    })
    const address = await serve((_, answer) => {
      answer.writeHead(200, { 'content-length': 1_000_000 }).write(Buffer.alloc(1000))
      begun()
    })
    const format: CifarFormat = { ...SMALL10, archive: { url: address, md5: '' } }
    const loader = openCifar(format, { root, split: 'test', batchSize: 10, download: true })
    const ready = loader.ready()
    const failed = expect(ready).rejects.toThrow(
      new DataError(`cifar10: expected to download ${address} to ${join(root, DIRECTORY)} but it was stopped`),
    )
    await started
    await loader.close()
    expect(readdirSync(root)).toEqual([])
    await failed
  })
})

describe('proxies', () => {
  /** A proxy that takes every connection to the server at `address`; counts what it was asked for. */
  async function serveProxy(address: string, asked: string[]): Promise<string> {
    const server = createServer()
    server.on('connect', (request, socket) => {
      asked.push(request.url ?? '')
      const onward = connect(Number(new URL(address).port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        onward.pipe(socket).pipe(onward)
      })
      for (const end of [onward, socket]) end.on('error', () => {})
      cleanUp.push(
        () => onward.destroy(),
        () => socket.destroy(),
      )
    })
    return serve(() => {}, server)
  }

  it.each(['http_proxy', 'HTTP_PROXY'])('goes through the proxy of %s', async variable => {
    const archive = await serveBytes(await packSmall10())
    const asked: string[] = []
    vi.stubEnv(variable, await serveProxy(archive.url, asked))
    await download(wanted({ ...archive, url: 'http://archive.invalid/cifar.tar.gz' }))
    expect(asked).toEqual(['archive.invalid:80'])
    expect(readdirSync(join(root, DIRECTORY)).length).toBe(FILES.length)
  })

  it.each(['https_proxy', 'HTTPS_PROXY'])('asks the proxy of %s for https addresses', async variable => {
    const asked: string[] = []
    const plain = await serveBytes(Buffer.from('not TLS'))
    vi.stubEnv(variable, await serveProxy(plain.url, asked))
    await expectFailure({ ...plain, url: 'https://archive.invalid/cifar.tar.gz' }, /HTTPS_PROXY names\)$/)
    expect(asked).toEqual(['archive.invalid:443'])
  })

  it('goes past it for hosts of NO_PROXY', async () => {
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1')
    vi.stubEnv('NO_PROXY', '127.0.0.1')
    await download(wanted(await serveBytes(await packSmall10())))
    expect(readdirSync(join(root, DIRECTORY)).length).toBe(FILES.length)
  })

  it('says that the proxy refused', async () => {
    const server = createServer()
    server.on('connect', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
    vi.stubEnv('HTTP_PROXY', await serve(() => {}, server))
    await expectFailure({ url: 'http://archive.invalid/x', md5: '' }, /403.*HTTP_PROXY or HTTPS_PROXY names\)$/)
  })

  it('says that the proxy cannot be reached', async () => {
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1')
    await expectFailure(
      { url: 'http://archive.invalid/x', md5: '' },
      /ECONNREFUSED.* \(with the proxy that HTTP_PROXY or HTTPS_PROXY names\)$/,
    )
  })

  it('says that the address of the proxy makes no sense', async () => {
    vi.stubEnv('HTTP_PROXY', 'not an address')
    await expectFailure({ url: 'http://archive.invalid/x', md5: '' }, /Invalid URL.*HTTP_PROXY or HTTPS_PROXY names\)$/)
  })
})
