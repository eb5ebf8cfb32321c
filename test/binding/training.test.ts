/** Memory and liveness of whole training loops, each in a process of its own. */
import { expect, it } from 'vitest'
import { resultOf, steadyHeap } from './run-child.ts'

const setUp = (options: string, shape: string) => `
  const { models, nn, optim, scope, tensor } = igcnet
  const net = models.plainIgc({ classes: 10, ${options} })
  const sgd = optim.sgd(net.parameters(), { lr: 0.01, momentum: 0.9, nesterov: true, weightDecay: 1e-4 })
  const images = new igcnet.Generator(1).normal(${shape})
  const labels = tensor(Int32Array.from({ length: images.shape[0] }, (_, i) => i % 10))
`

/** Resident MiB and the devices' bytes after 1,000 and after 10,000 steps of `step`, with no await in between. */
function train(step: string) {
  type State = { rss: number; bytesInUse: number; bytesReserved: number; allocations: number }
  return resultOf<[State, State]>(
    `${setUp('depth: 5, primaryPartitions: 2, secondaryPartitions: 2', '[2, 8, 8, 3]')}
    const run = steps => {
      for (let i = 0; i < steps; i++) { ${step} }
      native.deviceSynchronize('cpu')
      const { bytesInUse, bytesReserved, allocations } = native.deviceMemory('cpu')
      return { rss: process.memoryUsage().rss / 2 ** 20, bytesInUse, bytesReserved, allocations }
    }
    console.log(JSON.stringify([run(1000), run(9000)]))`,
    { nodeArgs: steadyHeap, env: { IGCNET_THREADS: '1', OMP_NUM_THREADS: '1' }, timeout: 110_000 },
  )
}

it.each([
  [
    'scope()',
    `const step = scope()
    const loss = nn.crossEntropy(net.forward(images), labels)
    loss.backward()
    sgd.step()
    step.dispose()`,
  ],
  [
    'dispose()',
    `const logits = net.forward(images)
    const loss = nn.crossEntropy(logits, labels)
    loss.backward()
    sgd.step()
    loss.dispose()
    logits.dispose()`,
  ],
])(
  '10,000 steps in one synchronous loop stay at flat memory with %s',
  async (_, step) => {
    const [early, late] = await train(step)
    const { bytesInUse, bytesReserved, allocations } = early
    expect(late).toMatchObject({ bytesInUse, bytesReserved, allocations })
    // 100 bytes lost in each op would be 100 MiB.
    expect(late.rss - early.rss).toBeLessThan(8)
  },
  120_000,
)

/**
 * Longest time between two ticks of a 50 ms timer. The time in which this thread could run but other programs had the
 * processors (the second number of schedstat, in ns) does not count: the machine may be busy with other tests.
 */
it('a loop that awaits its loss keeps timers alive', async () => {
  const { longest, ticks, losses } = await resultOf<{ longest: number; ticks: number; losses: number[] }>(
    `${setUp('depth: 20, primaryPartitions: 24, secondaryPartitions: 2', '[64, 32, 32, 3]')}
    import { readFileSync } from 'node:fs'
    const schedule = '/proc/self/task/' + process.pid + '/schedstat'
    const now = () => {
      let waited = 0
      try { waited = Number(readFileSync(schedule, 'utf8').split(' ')[1]) / 1e6 } catch {}
      return performance.now() - waited
    }
    let [last, longest, ticks] = [now(), 0, 0]
    const tick = () => {
      const time = now()
      longest = Math.max(longest, time - last)
      last = time
      ticks++
    }
    const timer = setInterval(tick, 50)
    const losses = []
    for (let i = 0; i < 6; i++) {
      const step = scope()
      const loss = nn.crossEntropy(net.forward(images), labels)
      loss.backward()
      sgd.step()
      losses.push(await loss.item())
      step.dispose()
    }
    tick()
    clearInterval(timer)
    console.log(JSON.stringify({ longest, ticks, losses }))`,
    { timeout: 110_000 },
  )
  expect(losses.every(Number.isFinite)).toBe(true)
  expect(ticks).toBeGreaterThan(3)
  expect(longest).toBeLessThan(250)
}, 120_000)
