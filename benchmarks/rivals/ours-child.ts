/**
 * igcnet as a contestant: reads one JSON command a line, answers with one JSON line; see contestant.ts for the commands.
 * Argument: the number of threads. Checked by main.ts, which compares the results of all contestants.
 */
import { createInterface } from 'node:readline'
import { device, igcBlock, type models, scope, type Tensor, tensor } from '../../src/index.ts'
import { inferencePasses, peakMemory, trainingSteps } from '../../src/train/benchmark.ts'
import { buildNetwork, type Precision, type TrainConfig, withDefaults } from '../../src/train/index.ts'
import type { BlockRivalCase, NetworkRivalCase, RivalCase } from './cases.ts'
import type { Reply, Request } from './contestant.ts'
import { labels, probe, setWeights, values } from './values.ts'

const threads = Number(process.argv[2])
const CLASSES = 10
const DEVICE = (process.env.IGCNET_BENCH_DEVICE || 'cpu') as TrainConfig['device']
/** In what maps are stored. */
const PRECISION = (process.env.IGCNET_BENCH_PRECISION || 'f32') as Precision
/** Backward passes timed together, each of a forward pass of its own. */
const CHUNK = 4

/** Repeats the case `count` times; gives the milliseconds. */
type Run = (count: number) => Promise<number>
interface Prepared {
  run: Run
  results: Record<string, number[]>
  dispose(): void
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

async function prepareNetwork({ kind, network, batchSize }: NetworkRivalCase): Promise<Prepared> {
  const { id: _, ...sizes } = network
  const config = withDefaults({
    ...sizes,
    dataset: 'cifar10',
    batchSize,
    threads,
    device: DEVICE,
    precision: PRECISION,
  })
  const net: models.Network = buildNetwork(config)
  setWeights(net.state())
  const images = values(batchSize * 32 * 32 * 3, 1)
  const batch = { images, labels: labels(batchSize, CLASSES), count: batchSize }
  if (kind === 'train' || kind === 'memory') {
    const training = trainingSteps(net, config, batch)
    const losses: number[] = []
    for (let i = 0; i < 3; i++) losses.push(await training.steps(1))
    const dispose = () => {
      training[Symbol.dispose]()
      net.dispose()
    }
    return { run: count => timed(() => training.steps(count)), results: { losses }, dispose }
  }
  const inferring = inferencePasses(net, batch, config.precision)
  const results = { logits: probe(await inferring.passes(3)) }
  const dispose = () => {
    inferring[Symbol.dispose]()
    net.dispose()
  }
  return { run: count => timed(() => inferring.passes(count)), results, dispose }
}

function prepareBlock({ kind, block }: BlockRivalCase): Prepared {
  const { N, size, L, M } = block
  const C = L * M
  const make = (shape: readonly [number, number, number, number], seed: number) =>
    tensor(
      values(
        shape.reduce((product, one) => product * one),
        seed,
      ),
      shape,
      { requiresGrad: seed < 4, device: DEVICE, dtype: seed === 2 || seed === 3 ? 'f32' : PRECISION },
    )
  const x = make([N, size, size, C], 1)
  const [primary, secondary] = [make([C, 3, 3, M], 2), make([C, 1, 1, L], 3)]
  const dy = make([N, size, size, C], 4)
  const options = { primaryPartitions: L, secondaryPartitions: M, padding: 1 }
  const inputs = { dx: x, dPrimary: primary, dSecondary: secondary }
  const forward = () => igcBlock(x, primary, secondary as Tensor<readonly [number, 1, 1, number], 'f32'>, options)
  const dispose = () => {
    for (const input of [x, primary, secondary, dy]) input.dispose()
  }
  const clear = () => {
    for (const input of Object.values(inputs)) {
      input.grad?.dispose()
      input.grad = undefined
    }
  }
  const runForward: Run = count =>
    timed(() => {
      for (let i = 0; i < count; i++) forward().dispose()
      device.synchronize(DEVICE)
    })
  const runBackward: Run = async count => {
    let total = 0
    for (let start = 0; start < count; start += CHUNK) {
      const made = Array.from({ length: Math.min(CHUNK, count - start) }, forward)
      device.synchronize(DEVICE)
      total += await timed(() => {
        for (const y of made) {
          y.backward(dy)
          clear()
        }
        device.synchronize(DEVICE)
      })
      for (const y of made) y.dispose()
    }
    return total
  }
  using _inner = scope()
  const y = forward()
  if (kind === 'block-forward') return { run: runForward, results: { y: probe(y.dataSync()) }, dispose }
  y.backward(dy)
  const gradients = Object.entries(inputs).map(([name, { grad }]) => [name, probe(grad?.dataSync() ?? [])])
  clear()
  return { run: runBackward, results: Object.fromEntries(gradients), dispose }
}

function prepare(rivalCase: RivalCase): Promise<Prepared> | Prepared {
  return 'block' in rivalCase ? prepareBlock(rivalCase) : prepareNetwork(rivalCase)
}

device.setThreads(threads, DEVICE)
const baseline = peakMemory()
let prepared: Prepared | undefined

async function answer(request: Request): Promise<Reply> {
  if (request.command === 'version') return { version: JSON.stringify(device.info(DEVICE)) }
  if (request.command === 'memory') return { peak: peakMemory(), baseline }
  if (request.command === 'window') return { ms: await (prepared as Prepared).run(request.count) }
  prepared?.dispose()
  prepared = undefined
  device.trim(DEVICE)
  prepared = await prepare(request.case)
  return { results: prepared.results }
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line)).catch((error: Error): Reply => ({ error: error.message }))
  process.stdout.write(`${JSON.stringify(reply)}\n`)
}
