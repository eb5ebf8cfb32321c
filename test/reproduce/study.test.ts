/**
 * Studies: what they leave on the disk, that they go on where they were stopped with the same result, and what they
 * refuse. Tiny networks on a few digits; as processes that are killed in test/cli/reproduce-studies.test.ts.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { compare } from '../../src/reproduce/compare.ts'
import { partitionMembers, partitions } from '../../src/reproduce/partitions.ts'
import type { MemberResult } from '../../src/reproduce/study.ts'
import { summarize } from '../../src/train/index.ts'
import { buildNetwork } from '../../src/train/network.ts'
import { temporaryDirectory } from '../support/data-samples.ts'

const root = temporaryDirectory()
afterAll(root.remove)

const recipe = { depth: 5, trainExamples: 32, testExamples: 20, batchSize: 16, numEpochs: 2, threads: 1 }
/** Three shapes: L11M1, L5M2, L1M5. */
const budget = 224
const shapes = ['L11M1', 'L5M2', 'L1M5']

const text = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8')
/** What does not depend on the clock. */
const lasting = (rows: readonly MemberResult[]) => rows.map(({ trainMsPerImage, seconds, ...row }) => row)

test('partitions: every shape is trained, and the tables say what the networks are', async () => {
  const runDir = join(root.path, 'whole')
  const { rows, stopped, count } = await partitions(recipe, { runDir, budget })
  expect({ stopped, count, ids: rows.map(({ id }) => id) }).toEqual({ stopped: false, count: 3, ids: shapes })
  for (const [i, { id, config, shape }] of partitionMembers(recipe, budget).entries()) {
    const net = buildNetwork(config)
    const { parameters, macs } = summarize(net)
    net.dispose()
    const metrics = text(join(runDir, id), 'metrics.jsonl').trimEnd().split('\n')
    const [first, last] = metrics.map(line => JSON.parse(line))
    expect(metrics).toHaveLength(2)
    expect(rows[i]).toMatchObject({
      ...shape,
      blockParameters: shape.parameters,
      parameters,
      multiplyAdds: macs,
      epochs: 2,
    })
    expect(rows[i]).toMatchObject({ testTop1: last.testTop1, testLoss: last.testLoss, trainLoss: last.trainLoss })
    expect(rows[i]?.bestTop1).toBe(Math.max(first.testTop1, last.testTop1))
    expect(rows[i]?.seconds).toBeCloseTo(first.seconds + last.seconds, 9)
    expect(rows[i]?.trainMsPerImage).toBeCloseTo(500 / first.imagesPerSecond + 500 / last.imagesPerSecond, 9)
  }
  expect(JSON.parse(text(runDir, 'table.json'))).toMatchObject({ finished: 3, of: 3, rows })
  const [head, ...lines] = text(runDir, 'table.csv').trimEnd().split('\n')
  expect(head).toMatch(
    /^id,primaryPartitions,secondaryPartitions,width,blockParameters,parameters,multiplyAdds,testTop1,/,
  )
  expect(lines.map(line => line.split(',').slice(0, 6).map(Number).slice(1))).toEqual(
    rows.map(row => [row.primaryPartitions, row.secondaryPartitions, row.width, row.blockParameters, row.parameters]),
  )
  const page = text(runDir, 'table.md')
  expect(page).toContain('digits, the first 32 training images and the first 20 test images; 2 epochs, batches of 16')
  for (const id of shapes) expect(page).toContain(`| ${id} | `)
  expect(page).not.toContain('so far')
  expect(text(runDir, 'plot.svg')).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
})

test('partitions: stopped after the first network and in the second, it goes on and ends with the same numbers', async () => {
  const runDir = join(root.path, 'stopped')
  const controller = new AbortController()
  const stopped = await partitions(recipe, {
    runDir,
    budget,
    signal: controller.signal,
    onMember: (_, { index }) => index === 1 && controller.abort(),
  })
  expect(stopped).toMatchObject({ stopped: true, count: 3 })
  expect(stopped.rows.map(({ id }) => id)).toEqual(['L11M1'])
  expect(text(runDir, 'table.md')).toContain('1 of 3 networks so far.')

  const within = new AbortController()
  const again = await partitions(recipe, {
    runDir,
    budget,
    signal: within.signal,
    onProgress: progress => progress.kind === 'epoch' && within.abort(),
  })
  expect(again.stopped).toBe(true)
  expect(again.rows).toHaveLength(1)

  const model = join(runDir, 'L11M1', 'last.safetensors')
  const before = statSync(model).mtimeMs
  const seen: [string, boolean][] = []
  const epochs: number[] = []
  const whole = await partitions(recipe, {
    runDir,
    budget,
    onMember: ({ id }, { finished }) => seen.push([id, finished]),
    onProgress: progress => progress.kind === 'epoch' && epochs.push(progress.epoch),
  })
  expect(seen).toEqual([
    ['L11M1', true],
    ['L5M2', false],
    ['L1M5', false],
  ])
  expect(epochs).toEqual([1, 0, 1]) // the second epoch of L5M2, both of L1M5
  expect(statSync(model).mtimeMs).toBe(before)
  const uninterrupted = JSON.parse(text(join(root.path, 'whole'), 'table.json')).rows
  expect(lasting(whole.rows)).toEqual(lasting(uninterrupted))

  // Once more: nothing is left to train.
  const steps: unknown[] = []
  const finished = await partitions(recipe, { runDir, budget, onProgress: progress => steps.push(progress) })
  expect([steps, finished.rows]).toEqual([[], whole.rows])
})

test('a folder with a study of another recipe is refused, and so is a budget without a shape', async () => {
  const runDir = join(root.path, 'whole')
  const error = await partitions({ ...recipe, lr: 0.05 }, { runDir, budget }).catch(reason => reason)
  expect(error).toBeInstanceOf(RangeError)
  expect(error.message).toBe(`resume: expected the lr 0.1 of the run in ${join(runDir, 'L11M1')} but received 0.05`)
  await expect(partitions(recipe, { runDir, budget: 60 })).rejects.toThrow(
    new RangeError('partitions: expected a budget that some L and M meet but received 60'),
  )
})

test('a folder with files of others is refused, and so is one with the table of more networks', async () => {
  const foreign = join(root.path, 'foreign')
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'table.csv'), 'precious')
  await expect(compare(['plain-W4'], recipe, { runDir: foreign })).rejects.toThrow(
    new DataError(
      `reproduce: expected no table.csv that is not of a study in ${foreign}; name another folder (--run-dir)`,
    ),
  )
  writeFileSync(join(foreign, 'table.json'), '{}')
  await expect(compare(['plain-W4'], recipe, { runDir: foreign })).rejects.toThrow('expected no table.json that is not')
  expect([text(foreign, 'table.csv'), existsSync(join(foreign, 'plain-W4-d5'))]).toEqual(['precious', false])
  const whole = join(root.path, 'whole')
  await expect(compare(['plain-W4'], recipe, { runDir: whole })).rejects.toThrow(
    `reproduce: expected L11M1 among the networks, as in the study in ${whole}, but received plain-W4-d5;`,
  )
})

test('a network that diverges has a row that says so, and the next one is trained', async () => {
  const runDir = join(root.path, 'diverged')
  const wild = { ...recipe, lr: 1000, lrSteps: [], momentum: 1, weightDecay: 1, numEpochs: 50 }
  const { rows, stopped } = await compare(['plain_igc-L2M2', 'plain-W4'], wild, { runDir })
  expect(stopped).toBe(false)
  expect(rows.map(({ id }) => id)).toEqual(['plain_igc-L2M2-d5', 'plain-W4-d5'])
  for (const row of rows) {
    expect(row).toMatchObject({ epochs: 0, testTop1: Number.NaN, bestTop1: Number.NaN, seconds: Number.NaN })
    expect(row.parameters).toBeGreaterThan(100)
  }
  expect(text(runDir, 'table.md')).toMatch(/^\| plain-W4-d5 \| .*\| diverged \| diverged \|/m)
  expect(JSON.parse(text(runDir, 'table.json')).rows[1]).toMatchObject({ id: 'plain-W4-d5', testTop1: null })
  expect(text(runDir, 'plot.svg')).not.toMatch(/NaN|Infinity/)
})

test('a study goes on with its own number of threads, unless another is asked for', async () => {
  const runDir = join(root.path, 'threads')
  const { threads, ...open } = { ...recipe, numEpochs: 1 }
  await compare(['plain-W4'], { ...open, threads: 2 }, { runDir })
  vi.stubEnv('IGCNET_THREADS', '1')
  const seen: number[] = []
  await compare(['plain-W4', 'plain_igc-L2M2'], open, { runDir, onMember: ({ config }) => seen.push(config.threads) })
  vi.unstubAllEnvs()
  expect(seen).toEqual([2, 2])
  expect(text(runDir, 'table.md')).toContain('cpu, 2 threads')
  await expect(compare(['plain-W4', 'plain_igc-L2M2'], { ...open, threads }, { runDir })).rejects.toThrow(
    'resume: expected the threads 2 of the run',
  )
})

test('compare: networks in the order of the words, each with its own size', async () => {
  const runDir = join(root.path, 'compare')
  const words = ['plain-W4', 'plain_igc-L2M2-d5', 'resnet-W4-d8']
  const { rows, stopped } = await compare(words, recipe, { runDir })
  expect(stopped).toBe(false)
  expect(rows.map(({ id }) => id)).toEqual(['plain-W4-d5', 'plain_igc-L2M2-d5', 'resnet-W4-d8'])
  expect(new Set(rows.map(({ parameters }) => parameters)).size).toBe(3)
  for (const row of rows) for (const value of Object.values(row)) expect(value).not.toBeNaN()
  expect(text(runDir, 'table.md')).toContain('| resnet-W4-d8 | ')
  expect(text(runDir, 'plot.svg')).toContain('C  resnet-W4-d8')
  await expect(compare(['plain-W4-d5', 'plain-W4'], recipe, { runDir })).rejects.toThrow(
    new RangeError('reproduce: expected every network once but received plain-W4-d5 twice'),
  )
  await expect(compare([], recipe, { runDir })).rejects.toThrow('compare: expected at least one network')
})
