/** What bench:kernels times on the device cuda, which is the kernels on the host here: recordings, as milliseconds of one run. */
import { expect, it } from 'vitest'
import './on-host.ts'

process.env.IGCNET_BENCH_DEVICE = 'cuda'
const { workloads, idOf } = await import('../../benchmarks/kernels/all.ts')
const { measureKernel } = await import('../../benchmarks/kernels/measure.ts')
const { Put } = await import('../../benchmarks/kernels/workload.ts')
const { native } = await import('../../src/native.ts')

type Workload = (typeof workloads)[number]
const find = (id: string) => workloads.find(workload => idOf(workload) === id) as Workload
const measured = (workload: Workload) =>
  measureKernel(workload, { gflops: 100, gbps: 10 }, { samples: 3, sampleMs: 20 })

it('a run that was recorded takes as long as one that is not', async () => {
  const workload = find('igcBlock/forward/tests/l24m2-stage-2')
  const { ms } = await measured(workload)
  const put = new Put('cuda')
  const { run } = workload.make(put, workload.batch)
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now()
    for (const output of run()) native.tensorDispose(output)
    native.deviceSynchronize('cuda')
    return performance.now() - start
  })
  put.dispose()
  const once = Math.min(...times)
  expect(ms).toBeGreaterThan(once / 4)
  expect(ms).toBeLessThan(once * 4)
})

it('work that may not be repeated is timed without a recording', async () => {
  const random = workloads.find(({ native }) => native === 'randomNormal') as Workload
  expect((await measured(random)).ms).toBeGreaterThan(0)
})
