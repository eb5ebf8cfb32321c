/** `igcnet train` and `igcnet evaluate` on a network that trains in a moment: results, run folders, resuming, failures. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { igcnet, lastJson, root, start, temporaryFolder } from './command-line.ts'
import { tiny } from './tiny-network.ts'

// Whether or not this machine has a GPU.
const NOWHERE = join(root, 'build', 'no-such-plug-in.so')
process.env.IGCNET_CUDA_PLUGIN = NOWHERE

const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))

/** Trains in this process. Returns the object on the last line. */
async function train(runDir: string, ...options: string[]): Promise<Record<string, unknown>> {
  const outcome = await igcnet('train', ...tiny, '--run-dir', runDir, '--json', ...options)
  expect(outcome).toMatchObject({ code: 0 })
  return lastJson(outcome)
}

test('--json: one object on standard output, progress on standard error', async () => {
  const runDir = join(temporaryFolder(), 'run')
  const outcome = await start(['train', ...tiny, '--run-dir', runDir, '--json']).ended
  expect(outcome.code).toBe(0)
  expect(outcome.stdout.trimEnd()).not.toContain('\n')
  const result = lastJson(outcome)
  expect(result).toMatchObject({
    epochs: 2,
    steps: 8,
    runDir,
    checkpoint: join(runDir, 'last.safetensors'),
    stopped: false,
  })
  for (const key of ['testTop1', 'testTop5', 'testLoss', 'trainLoss', 'imagesPerSecond']) {
    expect(result[key]).toEqual(expect.any(Number))
  }
  expect(result.weightsSha256).toMatch(/^[0-9a-f]{64}$/)
  expect(outcome.stderr).toMatch(/^training plain_igc, depth 5, L2M2, on digits \(cpu, 1 threads?\), in /)
  expect(outcome.stderr).toMatch(/^epoch 1\/2: train loss \d.*\nepoch 2\/2: train loss \d/m)
  expect(outcome.stderr).not.toContain('\u001b')
  const files = ['config.json', 'metrics.jsonl', 'metrics.csv', 'curves.svg', 'last.safetensors', 'best.safetensors']
  for (const file of files) expect(existsSync(join(runDir, file)), file).toBe(true)
  expect(readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(2)
})

test('without --json: lines, and a folder below runs/', async () => {
  const cwd = temporaryFolder()
  const { code, stdout, stderr } = await start(['train', ...tiny], { cwd }).ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const lines = stdout.trimEnd().split('\n')
  expect(lines[0]).toMatch(/^training .* in runs\/plain_igc-digits-\d{8}-\d{6}$/)
  const runDir = lines[0]?.split(' in ')[1] ?? ''
  expect(lines.at(-3)).toMatch(/^test top-1 [\d.]+ %, test loss [\d.]+, train loss [\d.]+ after 2 epochs \(/)
  expect(lines.at(-2)).toMatch(new RegExp(`^best: top-1 [\\d.]+ % in epoch [12]: ${runDir}/best.safetensors$`))
  expect(lines.at(-1)).toBe(`last: ${runDir}/last.safetensors`)
  expect(existsSync(join(cwd, runDir, 'config.json'))).toBe(true)
})

test('two runs that begin in the same second have folders of their own, and a failed one leaves none', async () => {
  const cwd = temporaryFolder()
  /** The time of the name is noon, and is asked for by all at the moment `at`. */
  const begin = (at: number, ...options: string[]) => {
    const wait = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.max(0, ${at} - Date.now()))`
    const noon = `Date.prototype.toISOString = () => (${wait}, '2026-01-02T12:00:00.000Z')`
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(noon)}` }
    return start(['train', ...tiny, ...options], { cwd, env }).ended
  }
  expect(await begin(0, '--dataset', 'cifar10', '--data-dir', 'nowhere')).toMatchObject({ code: 1 })
  expect(readdirSync(join(cwd, 'runs'))).toEqual([])
  const soon = Date.now() + 6000
  const runs = await Promise.all([begin(soon), begin(soon), begin(soon)])
  for (const run of runs) expect(run).toMatchObject({ code: 0, stderr: '' })
  const name = 'plain_igc-digits-20260102-120000'
  expect(readdirSync(join(cwd, 'runs')).sort()).toEqual([name, `${name}-2`, `${name}-3`])
})

test('every option reaches the configuration', async () => {
  const runDir = join(temporaryFolder(), 'run')
  const options = {
    '--network': ['resnet_igc', { network: 'resnet_igc' }],
    '--depth': [8, { depth: 8 }],
    '--consistent': ['', { consistent: true }],
    '--num-classes': [12, { numClasses: 12 }],
    '--aug-type': ['paper', { augType: 'paper' }],
    '--test-batch-size': [7, { testBatchSize: 7 }],
    '--num-epochs': [1, { numEpochs: 1 }],
    '--lr': [0.05, { lr: 0.05 }],
    '--lr-factor': [0.5, { lrFactor: 0.5 }],
    '--lr-steps': ['2,5', { lrSteps: [2, 5] }],
    '--momentum': [0.8, { momentum: 0.8 }],
    '--wd': [0.001, { weightDecay: 0.001 }],
    '--label-smoothing': [0.1, { labelSmoothing: 0.1 }],
    '--bn-momentum': [0.7, { bnMomentum: 0.7 }],
    '--rand-seed': [5, { randSeed: 5 }],
    '--checkpoint-epochs': [3, { checkpointEpochs: 3 }],
    '--device': ['reference', { device: 'reference' }],
  } as const
  const line = Object.entries(options).flatMap(([option, [value]]) =>
    value === '' ? [option] : [option, String(value)],
  )
  await train(runDir, ...line)
  expect(readJson(runDir, 'config.json')).toEqual({
    ...Object.assign({}, ...Object.values(options).map(([, config]) => config)),
    primaryPartition: 2,
    secondaryPartition: 2,
    dataset: 'digits',
    trainExamples: 64,
    testExamples: 20,
    batchSize: 16,
    threads: 1,
    download: false,
  })
})

test('the seed decides', async () => {
  const folder = temporaryFolder()
  const [a, b, c] = [
    await train(join(folder, 'a')),
    await train(join(folder, 'b')),
    await train(join(folder, 'c'), '--rand-seed', '1'),
  ]
  expect(b.weightsSha256).toBe(a.weightsSha256)
  expect(c.weightsSha256).not.toBe(a.weightsSha256)
})

describe('evaluate', () => {
  test('agrees with the training', async () => {
    const runDir = join(temporaryFolder(), 'run')
    const { testTop1, testTop5, testLoss, checkpoint, weightsSha256 } = await train(runDir)
    const outcome = await igcnet('evaluate', '--checkpoint', String(checkpoint), '--json')
    const stderr = `evaluating ${checkpoint} on the test images of digits (cpu)\n`
    expect(outcome).toMatchObject({ code: 0, stderr })
    const found = lastJson(outcome)
    expect(found).toMatchObject({
      testTop1,
      testTop5,
      examples: 20,
      split: 'test',
      dataset: 'digits',
      checkpoint,
      weightsSha256,
    })
    expect(found.testLoss).toBeCloseTo(testLoss as number, 6)
  })

  test('other examples, a run folder, text', async () => {
    const runDir = join(temporaryFolder(), 'run')
    await train(runDir)
    const { code, stdout } = await igcnet(
      'evaluate',
      '--checkpoint',
      runDir,
      '--split',
      'train',
      '--train-examples',
      '30',
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/\n30 train images of digits: top-1 [\d.]+ %, top-5 [\d.]+ %, loss [\d.]+\n$/)
    const all = lastJson(
      await igcnet('evaluate', '--checkpoint', runDir, '--test-examples', '359', '--test-batch-size', '100', '--json'),
    )
    expect(all).toMatchObject({ examples: 359, checkpoint: join(runDir, 'best.safetensors') })
  })

  test('another data set', async () => {
    const runDir = join(temporaryFolder(), 'run')
    await train(runDir)
    const line = ['evaluate', '--checkpoint', runDir, '--dataset', 'cifar10', '--data-dir', temporaryFolder()]
    expect(await igcnet(...line)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cifar10: expected test_batch.bin in'),
    })
    const { code, stderr } = await igcnet('evaluate', '--checkpoint', runDir, '--data-dir', 'x')
    expect(code).toBe(2)
    expect(stderr).toContain('--data-dir: expected --dataset cifar10, cifar100 or folder with it')
  })
})

describe('continuing a run', () => {
  test('--resume with another network', async () => {
    const short = join(temporaryFolder(), 'run')
    await train(short)
    const { code, stderr } = await igcnet('train', '--resume', short, '--network', 'igcv3_d')
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `igcnet: --network: expected plain_igc, the network of the run in ${short}, but received igcv3_d\n`,
    })
  })

  test('--resume with more epochs is the longer run', async () => {
    const folder = temporaryFolder()
    const [short, long] = [join(folder, 'short'), join(folder, 'long')]
    const steps = ['--lr-steps', '2']
    await train(short, ...steps)
    const whole = await train(long, ...steps, '--num-epochs', '3')
    const resumed = await igcnet('train', '--resume', short, '--num-epochs', '3', '--json')
    expect(resumed.code).toBe(0)
    expect(resumed.stderr).toMatch(new RegExp(`^continuing ${short}: plain_igc, depth 5`))
    expect(lastJson(resumed)).toMatchObject({ epochs: 3, runDir: short, weightsSha256: whole.weightsSha256 })
  })

  test("the authors' --model-prefix and --load-epoch", async () => {
    const runDir = join(temporaryFolder(), 'run')
    expect((await igcnet('train', ...tiny, '--model-prefix', runDir)).code).toBe(0)
    const wrong = await igcnet('train', '--model-prefix', runDir, '--load-epoch', '1', '--num-epochs', '3')
    expect(wrong).toMatchObject({
      code: 2,
      stderr: `igcnet: --load-epoch: expected 2, the finished epochs of ${runDir}, but received 1\n`,
    })
    const right = await igcnet('train', '--model-prefix', runDir, '--load-epoch', '2', '--num-epochs', '3', '--json')
    expect(right.code).toBe(0)
    expect(lastJson(right)).toMatchObject({ epochs: 3, runDir })
  })

  test('into another folder', async () => {
    const folder = temporaryFolder()
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    await train(first)
    const before = readFileSync(join(first, 'last.safetensors'))
    const outcome = await igcnet(
      'train',
      '--resume',
      join(first, 'last.safetensors'),
      '--run-dir',
      second,
      '--num-epochs',
      '3',
      '--json',
    )
    expect(lastJson(outcome)).toMatchObject({ epochs: 3, runDir: second })
    expect(readFileSync(join(first, 'last.safetensors'))).toEqual(before)
  })

  test('another recipe is refused', async () => {
    const runDir = join(temporaryFolder(), 'run')
    await train(runDir)
    const { code, stderr } = await igcnet('train', '--resume', runDir, '--lr', '0.2')
    expect(code).toBe(2)
    expect(stderr).toBe(`igcnet: resume: expected the lr 0.1 of the run in ${runDir} but received 0.2\n`)
  })
})

describe('one sentence and exit code 1', () => {
  async function failure(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await igcnet(...argv)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^igcnet: [^\n]+\n$/)
    return stderr
  }

  test('a run folder that cannot be made', async () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    expect(await failure('train', ...tiny, '--run-dir', join(file, 'run'))).toContain(`cannot write to ${file}/run: E`)
    if (existsSync('/proc/self'))
      expect(await failure('train', ...tiny, '--run-dir', '/proc/run')).toContain('/proc/run')
  })

  test('a run folder with a run', async () => {
    const runDir = join(temporaryFolder(), 'run')
    await train(runDir)
    expect(await failure('train', ...tiny, '--run-dir', runDir)).toContain(
      `${runDir} has a checkpoint; resume that run`,
    )
  })

  test('missing data names the files, the address and the command', async () => {
    const folder = temporaryFolder()
    const line = [
      'train',
      '--dataset',
      'cifar10',
      '--data-dir',
      folder,
      '--train-examples',
      '15000',
      '--run-dir',
      join(folder, 'run'),
    ]
    const sentence = await failure(...line)
    expect(sentence).toContain('expected data_batch_1.bin, data_batch_2.bin in')
    expect(sentence).toContain('https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz')
    expect(sentence).toContain(`igcnet train --dataset cifar10 --data-dir ${folder} --download`)
    expect(existsSync(join(folder, 'run'))).toBe(false)
  })

  test('checkpoints that are none', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'model.safetensors')
    expect(await failure('evaluate', '--checkpoint', path)).toContain('ENOENT')
    writeFileSync(path, 'not a checkpoint')
    expect(await failure('evaluate', '--checkpoint', path)).toContain(path)
    expect(await failure('evaluate', '--checkpoint', folder)).toContain(folder)
    expect(await failure('train', '--resume', path)).toContain(`received ${path}`)
    mkdirSync(join(folder, 'empty'))
    expect(await failure('train', '--resume', join(folder, 'empty'))).toContain('config.json')
  })

  test('a checkpoint cut short', async () => {
    const runDir = join(temporaryFolder(), 'run')
    await train(runDir)
    const path = join(runDir, 'last.safetensors')
    writeFileSync(path, readFileSync(path).subarray(0, 1000))
    expect(await failure('evaluate', '--checkpoint', path)).toContain(path)
    expect(await failure('train', '--resume', runDir, '--num-epochs', '3')).toContain(path)
  })

  test('no CUDA', async () => {
    expect(await failure('train', ...tiny, '--device', 'cuda')).toBe(
      `igcnet: device cuda is not available: the plug-in ${NOWHERE} is not there (the value of IGCNET_CUDA_PLUGIN)\n`,
    )
  })
})

test('--device auto says why it is the CPU', async () => {
  const runDir = join(temporaryFolder(), 'run')
  const { code, stderr } = await igcnet('train', ...tiny, '--run-dir', runDir, '--device', 'auto')
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: `igcnet: running on the CPU: the plug-in ${NOWHERE} is not there (the value of IGCNET_CUDA_PLUGIN)\n`,
  })
  expect(readJson(runDir, 'config.json').device).toBe('cpu')
})

test('numbers of examples and batches that do not fit are exit code 2', async () => {
  const folder = temporaryFolder()
  const run = (...options: string[]) => igcnet('train', ...tiny, '--run-dir', join(folder, 'run'), ...options)
  expect(await run('--batch-size', '65')).toMatchObject({ code: 2, stderr: expect.stringContaining('at most 64') })
  expect(await run('--train-examples', '1439')).toMatchObject({ code: 2, stderr: expect.stringContaining('1 to 1438') })
  expect(await run('--depth', '6')).toMatchObject({ code: 2, stderr: expect.stringContaining('received 6') })
  expect(existsSync(join(folder, 'run'))).toBe(false)
})

test('the installed command runs from dist', async ({ skip }) => {
  const built = join(root, 'dist/cli/main.js')
  if (!existsSync(built)) skip()
  expect(readFileSync(built, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  const outcome = await start(['--version'], { entry: built }).ended
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
})
