/** The run folder: its files row for row, what a killed run left, folders that cannot be written to, and the curves. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { saveBest, saveCheckpoint, storeModel } from '../../src/train/checkpoint.ts'
import { withDefaults } from '../../src/train/config.ts'
import { drawCurves } from '../../src/train/curves.ts'
import { type Disk, disk, temporary } from '../../src/train/disk.ts'
import type { EpochRow } from '../../src/train/metrics.ts'
import { isBeforeFirstCheckpoint, RunFolder, readRunConfig } from '../../src/train/run-folder.ts'
import type { RunLock } from '../../src/train/run-lock.ts'
import { freshState } from '../../src/train/training-state.ts'
import { temporaryDirectory } from '../support/data-samples.ts'
import { faultyDisk } from '../support/faulty-disk.ts'

const root = temporaryDirectory()
afterAll(root.remove)
const newFolder = () => mkdtempSync(join(root.path, 'run-'))

const config = withDefaults({ depth: 5, threads: 1 })
const fresh = { config, rows: [], continues: false }

function row(epoch: number, over: Partial<EpochRow> = {}): EpochRow {
  const metrics = {
    trainLoss: 2 / (epoch + 1),
    trainTop1: 10 * epoch,
    testLoss: 2.5 / (epoch + 1),
    testTop1: 9 * epoch,
  }
  return { epoch, ...metrics, testTop5: 50, lr: 0.1, seconds: 1.5, imagesPerSecond: 640, ...over }
}

let held: RunLock | undefined
afterEach(() => held?.release())

/** Opens a folder; the one opened before is let go. */
async function open(path: string, ...run: [Parameters<typeof RunFolder.open>[1], Disk?]): Promise<RunFolder> {
  await held?.release()
  held = await RunFolder.lock(path)
  return RunFolder.open(held, ...run)
}

const text = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8')

test('a new folder has the configuration and empty tables', async () => {
  const folder = join(newFolder(), 'deep', 'run')
  await open(folder, fresh)
  expect(readdirSync(folder).sort()).toEqual(['config.json', 'curves.svg', 'metrics.csv', 'metrics.jsonl', 'run.lock'])
  expect(await readRunConfig(folder)).toEqual(config)
  expect(text(folder, 'metrics.jsonl')).toBe('')
  expect(text(folder, 'metrics.csv')).toBe(
    'epoch,trainLoss,trainTop1,testLoss,testTop1,testTop5,lr,seconds,imagesPerSecond\n',
  )
})

test('a row for every epoch, in both tables', async () => {
  const folder = newFolder()
  const run = await open(folder, fresh)
  await run.append(row(0))
  await run.append(row(1, { testLoss: Number.NaN }))
  const lines = text(folder, 'metrics.jsonl').trimEnd().split('\n')
  expect(lines.map(line => JSON.parse(line))).toEqual([row(0), { ...row(1), testLoss: null }])
  expect(text(folder, 'metrics.csv').split('\n').slice(1)).toEqual([
    '0,2,0,2.5,0,50,0.1,1.5,640',
    '1,1,10,NaN,9,50,0.1,1.5,640',
    '',
  ])
})

test('a continued run has the rows of its checkpoint; later and torn ones are gone', async () => {
  const folder = newFolder()
  const run = await open(folder, fresh)
  for (const epoch of [0, 1, 2]) await run.append(row(epoch))
  writeFileSync(join(folder, 'metrics.jsonl'), `${text(folder, 'metrics.jsonl')}{"epoch":3,"tr`)
  const again = await open(folder, { config, rows: [row(0), row(1)], continues: true })
  await again.append(row(2, { trainLoss: 7 }))
  const rows = text(folder, 'metrics.jsonl').trimEnd().split('\n')
  expect(rows.map(line => JSON.parse(line))).toEqual([row(0), row(1), row(2, { trainLoss: 7 })])
  expect(text(folder, 'metrics.csv').trimEnd().split('\n')).toHaveLength(4)
})

test('what a killed run left half-written is removed', async () => {
  const folder = newFolder()
  const names = [
    'config.json',
    'metrics.csv',
    'curves.svg',
    'last.safetensors',
    'last.state.safetensors',
    'best.safetensors',
  ]
  for (const name of names) {
    writeFileSync(join(folder, `${name}.tmp`), 'half') // as older writers did
    writeFileSync(temporary(join(folder, name)), 'half')
    writeFileSync(temporary(join(folder, name)), 'half')
  }
  for (const name of ['notes.tmp', 'my-config.json.tmp']) writeFileSync(join(folder, name), 'not ours')
  writeFileSync(join(folder, 'run.lock.1-2'), '')
  await open(folder, fresh)
  expect(readdirSync(folder).filter(name => name.endsWith('.tmp'))).toEqual(['my-config.json.tmp', 'notes.tmp'])
  expect(readdirSync(folder)).not.toContain('run.lock.1-2')
})

test('temporary names are in the same folder, and new', () => {
  const [one, two] = [temporary(join('a', 'last.safetensors')), temporary(join('a', 'last.safetensors'))]
  expect(one).toMatch(/^a.last\.safetensors\.[0-9a-f]{12}\.tmp$/)
  expect(two).not.toBe(one)
})

test('a new run does not overwrite a checkpoint', async () => {
  const folder = newFolder()
  const model = storeModel(config, new Map())
  await saveBest(folder, model)
  const message =
    `run folder: expected a folder without a run but ${folder} has a checkpoint; ` +
    'resume that run, or name another folder'
  await expect(open(folder, fresh)).rejects.toThrow(message)
  expect(existsSync(join(folder, 'config.json'))).toBe(false)
  await saveCheckpoint(folder, { model, velocities: new Map(), state: freshState() })
  await expect(open(folder, fresh)).rejects.toThrow(message)
  await open(folder, { ...fresh, continues: true })
})

test('a folder that cannot be written to', async () => {
  const file = join(newFolder(), 'file')
  writeFileSync(file, '')
  const folders = [file, join(file, 'run'), ...(process.platform === 'linux' ? ['/proc/igcnet/run'] : [])]
  for (const folder of folders) {
    const error = await open(folder, fresh).catch(reason => reason)
    expect(error).toBeInstanceOf(DataError)
    expect(error.message).toMatch(/^run folder: cannot write to .*: E(EXIST|NOTDIR|NOENT)/)
  }
})

test('a full disk while the configuration is written leaves nothing half-written', async () => {
  const folder = newFolder()
  const writes = ['config.json', 'metrics.jsonl', 'metrics.csv', 'curves.svg']
  const probe = faultyDisk('full', Number.POSITIVE_INFINITY)
  await open(newFolder(), fresh, probe)
  for (const name of writes) {
    const at = probe.operations.indexOf(`write ${name}.tmp`)
    expect(at).toBeGreaterThanOrEqual(0)
    const error = await open(folder, fresh, faultyDisk('full', at)).catch(reason => reason)
    expect(error).toBeInstanceOf(DataError)
    expect(error.message).toBe(`run folder: cannot write to ${folder}: ENOSPC: no space left on device`)
    expect(readdirSync(folder).filter(file => file.endsWith('.tmp'))).toEqual([])
  }
})

test('a table that cannot be appended to', async () => {
  const folder = newFolder()
  const run = await open(folder, fresh)
  await disk.remove(join(folder, 'metrics.csv'))
  mkdirSync(join(folder, 'metrics.csv'))
  await expect(run.append(row(0))).rejects.toThrow(`run folder: cannot write to ${folder}: EISDIR`)
})

test('the configuration of a run that is missing, torn or senseless', async () => {
  const folder = newFolder()
  await expect(readRunConfig(folder)).rejects.toThrow(
    `run folder: expected a run in ${folder} but cannot read its config`,
  )
  for (const content of ['', '{"depth":', '{}', JSON.stringify({ ...config, lr: 'high' })]) {
    writeFileSync(join(folder, 'config.json'), content)
    const error = await readRunConfig(folder).catch(reason => reason)
    expect(error).toBeInstanceOf(DataError)
    expect(error.message).toMatch(/^checkpoint: expected a valid configuration in .*config\.json: /)
  }
})

test('a run is before its first checkpoint as long as it has no state, no model and no rows', async () => {
  const folder = newFolder()
  expect(isBeforeFirstCheckpoint(folder)).toBe(true)
  await open(folder, fresh)
  expect(isBeforeFirstCheckpoint(folder)).toBe(true)
  await open(folder, { ...fresh, rows: [row(0)] })
  expect(() => isBeforeFirstCheckpoint(folder)).toThrow(
    `resume: expected last.state.safetensors in ${folder} but found only rows in metrics.jsonl: resume the run that they are from`,
  )
  await saveBest(folder, storeModel(config, new Map()))
  expect(() => isBeforeFirstCheckpoint(folder)).toThrow(
    `resume: expected last.state.safetensors in ${folder} but found a model without it`,
  )
  await saveCheckpoint(folder, { model: storeModel(config, new Map()), velocities: new Map(), state: freshState() })
  expect(isBeforeFirstCheckpoint(folder)).toBe(false)
})

const pathsOf = (svg: string) => [...svg.matchAll(/<path d="([^"]*)"/g)].map(([, d]) => d as string)

test('curves: four lines with a point for every epoch', () => {
  const svg = drawCurves([0, 1, 2, 3].map(epoch => row(epoch)))
  const paths = pathsOf(svg)
  expect(paths).toHaveLength(4)
  for (const path of paths) expect(path.match(/[ML]/g)).toHaveLength(4)
  expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  for (const label of ['Loss', 'Top-1 accuracy', 'epoch', 'train', 'test', '100 %']) expect(svg).toContain(label)
})

test('curves: accuracies are at their place', () => {
  const [, , train, test] = pathsOf(
    drawCurves([row(0, { trainTop1: 0, testTop1: 100 }), row(1, { trainTop1: 50, testTop1: 0 })]),
  )
  const heights = (path: string | undefined) =>
    path
      ?.split(/[ML]/)
      .slice(1)
      .map(point => Number(point.split(',')[1]))
  const [bottom, middle] = heights(train) as [number, number]
  expect(heights(test)).toEqual([0, bottom])
  expect(middle).toBeCloseTo(bottom / 2, 1)
})

test('curves: none, one, and values that are no numbers', () => {
  for (const rows of [[], [row(0)], [row(0, { testLoss: Number.NaN, trainLoss: Number.POSITIVE_INFINITY }), row(1)]]) {
    const svg = drawCurves(rows)
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
    expect(svg.trimEnd()).toMatch(/^<svg [\s\S]*<\/svg>$/)
  }
})

test('curves of a million epochs', () => {
  expect(drawCurves(Array.from({ length: 1_000_000 }, (_, epoch) => row(epoch)))).toContain('over 1000000 epochs')
})

test.each([
  ['config.json', '{"my":"settings"}'],
  ['metrics.jsonl', 'lines of mine'],
  ['metrics.csv', 'a,b'],
  ['curves.svg', '<svg/>'],
])('a new run leaves a %s that no run wrote', async (name, content) => {
  const folder = newFolder()
  writeFileSync(join(folder, name), content)
  await expect(open(folder, fresh)).rejects.toThrow(
    new DataError(`run folder: expected no ${name} that is not of a run in ${folder}; name another folder`),
  )
  expect(text(folder, name)).toBe(content)
})

test.each([1, 2, 3])(
  'a new run takes the folder of one that was killed %i files before its first checkpoint',
  async count => {
    const folder = newFolder()
    await open(folder, fresh)
    for (const name of ['config.json', 'curves.svg', 'metrics.csv'].slice(0, count)) rmSync(join(folder, name))
    await open(folder, fresh)
    expect(await readRunConfig(folder)).toEqual(config)
  },
)
