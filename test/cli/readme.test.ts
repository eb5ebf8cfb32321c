/** The README's script compiles and runs as printed, and its commands exist. */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const script = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''

// Inside the repository, so that 'igcnet' resolves to the package itself.
const folder = join(root, 'build', 'readme')
mkdirSync(folder, { recursive: true })
const file = join(folder, 'train.mts')
writeFileSync(file, script)

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

  it('trains', () => {
    const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', tsx, file], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const accuracies = [...stdout.matchAll(/^after epoch \d: ([\d.]+) % of the test images$/gm)].map(match =>
      Number(match[1]),
    )
    expect(accuracies).toHaveLength(5)
    expect(accuracies.at(-1)).toBeGreaterThan(90)
  })
})
