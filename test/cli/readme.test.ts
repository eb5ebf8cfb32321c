/** The README's script compiles and runs as printed, and its commands exist. */
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const script = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''

// Inside the repository, so that 'igcnet' resolves to the package itself.
const folder = join(root, 'build', 'readme')
mkdirSync(folder, { recursive: true })
const file = join(folder, 'train.ts')
writeFileSync(file, script)

const directory = mkdtempSync(join(tmpdir(), 'igcnet-readme-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** The five training files of CIFAR-10 in their full size: black images of class 0, which take no space on the disk. */
function blackCifar(): void {
  const data = join(directory, 'cifar-10-batches-bin')
  mkdirSync(data)
  for (let i = 1; i <= 5; i++) {
    const path = join(data, `data_batch_${i}.bin`)
    writeFileSync(path, '')
    truncateSync(path, 10_000 * 3073)
  }
}

// The set-up builds dist/, which the name 'igcnet' stands for.
describe.skipIf(!existsSync(join(root, 'dist')))('the script of the README', () => {
  it('is there', () => {
    expect(script.split('\n').length).toBeGreaterThan(10)
  })

  it('compiles', async () => {
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022']
    const libraries = ['--lib', 'es2023,esnext.disposable', '--types', 'node']
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    await promisify(execFile)(process.execPath, [tsc, ...options, ...libraries, file], { cwd: root })
  })

  it('trains until it is stopped', async () => {
    blackCifar()
    const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href
    const child = spawn(process.execPath, ['--import', tsx, file], { cwd: directory })
    let output = ''
    child.stdout.on('data', chunk => (output += chunk))
    child.stderr.on('data', chunk => (output += chunk))
    const ended = new Promise<NodeJS.Signals | null>(resolve => child.on('exit', (_, signal) => resolve(signal)))
    setTimeout(() => child.kill('SIGKILL'), 10_000)
    expect(await ended).toBe('SIGKILL')
    expect(output).toBe('')
  })
})
