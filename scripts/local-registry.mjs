/**
 * A registry for tests: it has the packages of build/packages, and hands all else on to the registry that npm uses. So an
 * installation goes the way of a real one, through names and versions, whatever the package manager. Platform packages
 * that were not made here have a package.json alone, in which package managers see that they do not fit (yarn 1 fetches
 * them all the same). Used by
 * scripts/smoke.mjs and test/package.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { create as createTar } from 'tar'
import { Agent, EnvHttpProxyAgent, fetch } from 'undici'
import { platformManifest, platformPackages } from './manifests.mjs'
import { madePackages } from './package.mjs'
import { npmCommand } from './tarball.mjs'

/** The address of the registry that npm uses. */
export function npmRegistry() {
  const [command, args] = npmCommand(['config', 'get', 'registry'])
  return spawnSync(command, args, { encoding: 'utf8' }).stdout.trim().replace(/\/?$/, '/')
}

/** What a registry says of one package with one version. */
function packument(manifest, dist) {
  const { name, version } = manifest
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
  }
}

function checksums(bytes) {
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
  return { integrity, shasum: createHash('sha1').update(bytes).digest('hex') }
}

/** A package of nothing but its package.json. */
function packManifest(manifest) {
  const folder = mkdtempSync(join(tmpdir(), 'igcnet-manifest-'))
  mkdirSync(join(folder, 'package'))
  writeFileSync(join(folder, 'package', 'package.json'), JSON.stringify(manifest))
  const file = join(folder, 'package.tgz')
  createTar({ cwd: folder, file, gzip: true, sync: true }, ['package'])
  const bytes = readFileSync(file)
  rmSync(folder, { recursive: true })
  return bytes
}

function ownPackages(address) {
  const own = new Map()
  for (const { manifest, path } of madePackages()) {
    const bytes = readFileSync(path)
    own.set(manifest.name, packument(manifest, { tarball: `${address}/-/${basename(path)}`, ...checksums(bytes) }))
    own.set(`-/${basename(path)}`, bytes)
  }
  for (const name of platformPackages()) {
    if (own.has(name)) continue
    const [, platform, cuda] = /^@igcnet\/(.+?)(-cuda)?$/.exec(name)
    const manifest = platformManifest(platform, { cuda: cuda !== undefined, licence: 'Apache-2.0' })
    const file = `-/${platform}${cuda ?? ''}.tgz`
    const bytes = packManifest(manifest)
    own.set(name, packument(manifest, { tarball: `${address}/${file}`, ...checksums(bytes) }))
    own.set(file, bytes)
  }
  return own
}

/**
 * Starts the registry.
 * @returns {Promise<{ address: string, bytes: () => number, close: () => Promise<void> }>} bytes: handed out so far
 */
export async function startRegistry() {
  const upstream = npmRegistry()
  // The one for proxies warns of being experimental: only where there is a proxy.
  const hasProxy = ['http_proxy', 'https_proxy'].some(name => process.env[name] ?? process.env[name.toUpperCase()])
  const dispatcher = hasProxy ? new EnvHttpProxyAgent() : new Agent()
  let bytes = 0
  let own = new Map()
  const server = createServer(async (request, response) => {
    const send = (status, type, body) => {
      bytes += body.length
      response.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body)
    }
    try {
      const path = decodeURIComponent((request.url ?? '/').slice(1).split('?')[0])
      const found = own.get(path)
      if (Buffer.isBuffer(found)) return send(200, 'application/octet-stream', found)
      if (found !== undefined) return send(200, 'application/json', Buffer.from(JSON.stringify(found)))
      if (request.method !== 'GET' || path.startsWith('-/') || path.startsWith('@igcnet/')) {
        return send(404, 'application/json', Buffer.from('{"error":"not found"}'))
      }
      const headers = { accept: request.headers.accept ?? '*/*' }
      const answer = await fetch(new URL((request.url ?? '/').slice(1), upstream), { headers, dispatcher })
      const type = answer.headers.get('content-type') ?? 'application/octet-stream'
      const body = Buffer.from(await answer.arrayBuffer())
      const isJson = type.includes('json')
      send(
        answer.status,
        type,
        isJson
          ? Buffer.from(body.toString('utf8').replaceAll(`"tarball":"${upstream}`, `"tarball":"${address}/`))
          : body,
      )
    } catch (error) {
      send(502, 'text/plain', Buffer.from(String(error)))
    }
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${server.address().port}`
  own = ownPackages(address)
  return {
    address,
    bytes: () => bytes,
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await dispatcher.close()
    },
  }
}
