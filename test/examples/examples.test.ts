/** The scripts of examples/, run as their users run them, small. They import 'igcnet': the dist/ that the set-up built. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { data } from '../../src/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'igcnet-examples-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const script = (name: string) => join(root, 'examples', name)

function run(name: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', script(name), ...args], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

/** Some of the digits as PNG images, in folders for their classes; the paths by class. */
async function writeDigits(images: string, split: 'train' | 'test', count: number): Promise<Map<number, string[]>> {
  const paths = new Map<number, string[]>()
  await using loader = data.digits({ split, batchSize: 1, shuffle: false, dropLast: false })
  let i = 0
  for await (const batch of loader.plainBatches()) {
    const label = batch.labels[0] as number
    const before = paths.get(label) ?? []
    if (label < 3 && before.length < count) {
      const path = join(images, split, ['zero', 'one', 'two'][label] as string, `${i++}.png`)
      mkdirSync(join(path, '..'), { recursive: true })
      const bytes = Uint8Array.from(batch.images, value => Math.round((value + 1) * 127.5))
      await sharp(bytes, { raw: { width: 32, height: 32, channels: 3 } }).toFile(path)
      paths.set(label, [...before, path])
    }
  }
  return paths
}

describe('train-digits and fine-tune', () => {
  const images = join(folder, 'photos')
  beforeAll(async () => {
    await writeDigits(images, 'train', 40)
    await writeDigits(images, 'test', 10)
  })

  it('trains, goes on where it ended, and is fine-tuned on a folder of images', () => {
    const trained = run('train-digits.mjs', '--epochs', '4')
    expect(trained).toMatch(
      /^epoch 1 of 4: loss [\d.]+, [\d.]+ % of the test images\n(.*\n)*done in [\d.]+ s\ncheckpoint: .*best\.safetensors\n$/,
    )
    expect(existsSync(join(folder, 'runs/digits/curves.svg'))).toBe(true)
    expect(run('train-digits.mjs', '--epochs', '5')).toMatch(/^epoch 5 of 5: /)

    const tuned = run('fine-tune.mjs', '--images', images, '--epochs', '4')
    expect(tuned).toMatch(/^120 images of 3 classes: one, two, zero\nthe last layer, epoch 1 of 2: /)
    expect(tuned).toContain('saved tuned.safetensors')
    const accuracies = [...tuned.matchAll(/([\d.]+) % of the test images/g)].map(match => Number(match[1]))
    expect(accuracies).toHaveLength(4)
    expect(accuracies.at(-1)).toBeGreaterThan(60)
    const args = [join(root, 'dist/cli/main.js'), 'evaluate', '--checkpoint', 'tuned.safetensors', '--json']
    const evaluated = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
    expect(evaluated.status, evaluated.stderr).toBe(0)
    const { testTop1, examples } = JSON.parse(evaluated.stdout.trimEnd().split('\n').at(-1) ?? '')
    expect(examples).toBe(30)
    expect(testTop1).toBeGreaterThan(40)
  })

  it('fine-tune says what it needs', () => {
    const { status, stderr } = spawnSync(process.execPath, [script('fine-tune.mjs')], { encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stderr).toContain('expected --images FOLDER')
  })
})

describe('serve', () => {
  async function until<T>(what: string, get: () => Promise<T | undefined>): Promise<T> {
    for (const end = performance.now() + 60_000; performance.now() < end; ) {
      const value = await get()
      if (value !== undefined) return value
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    throw new Error(`waited a minute for ${what}`)
  }

  function start(...args: string[]): {
    child: ChildProcess
    output: () => string
    address: Promise<string>
    ended: Promise<number | null>
  } {
    const child = spawn(process.execPath, ['--no-warnings', script('serve.mjs'), '--port', '0', ...args], {
      cwd: folder,
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    child.stdout.on('data', chunk => (text += chunk))
    child.stderr.on('data', chunk => (text += chunk))
    const address = until('the address', async () => /listening on (\S+)/.exec(text)?.[1])
    const ended = new Promise<number | null>(resolve => child.on('exit', resolve))
    return { child, output: () => text, address, ended }
  }

  it('answers while it trains, with better weights as they come, and ends cleanly', async () => {
    const digits = await writeDigits(join(folder, 'sent'), 'test', 4)
    const server = start('--epochs', '1000')
    const address = await server.address
    const status = async () => (await (await fetch(`${address}/status`)).json()) as { epoch: number; training: boolean }
    const predict = (body: Uint8Array<ArrayBuffer> | string) => fetch(`${address}/predict`, { method: 'POST', body })
    const read = (path: string) => new Uint8Array(readFileSync(path))
    const zero = read(digits.get(0)?.[0] as string)

    expect((await predict(zero)).status).toBe(503)
    const { epoch } = await until('five epochs', async () => {
      const now = await status()
      return now.epoch >= 5 ? now : undefined
    })
    expect(epoch).toBeGreaterThanOrEqual(5)
    // Many at once, while weights are exchanged.
    const sent = [...digits].flatMap(([label, paths]) => paths.map(path => ({ label, path })))
    const answers = await Promise.all(
      sent.map(
        async ({ path }) => (await (await predict(read(path))).json()) as { label: number; probabilities: number[] },
      ),
    )
    const right = answers.filter((answer, i) => answer.label === sent[i]?.label).length
    expect(right).toBeGreaterThan(sent.length / 2)
    for (const { probabilities } of answers) {
      expect(probabilities).toHaveLength(10)
      expect(probabilities.reduce((sum: number, p: number) => sum + p)).toBeCloseTo(1, 4)
    }
    const bad = await predict('no image')
    expect([bad.status, Object.keys((await bad.json()) as object)]).toEqual([400, ['error']])
    expect((await fetch(`${address}/nowhere`)).status).toBe(404)
    expect((await status()).training).toBe(true)

    server.child.kill('SIGTERM')
    expect(await server.ended, server.output()).toBe(0)
    expect(existsSync(join(folder, 'runs/serve/last.safetensors'))).toBe(true)
    const again = start('--epochs', '1000')
    // At once those of the run before, then its next ones.
    const url = await again.address
    expect((await fetch(`${url}/predict`, { method: 'POST', body: zero })).status).toBe(200)
    const served = await until('new weights', async () => {
      const epochs = Array.from(again.output().matchAll(/serving the weights of epoch (\d+)/g), match =>
        Number(match[1]),
      )
      return epochs.length > 1 ? epochs : undefined
    })
    expect(served[0]).toBeGreaterThanOrEqual(5)
    expect(served[1]).toBe((served[0] as number) + 1)
    again.child.kill('SIGINT')
    expect(await again.ended, again.output()).toBe(0)
  }, 120_000)
})
