/**
 * Runs kernel tests where scripts/emulate-avx512 has put them. The environment: SUITES, names of the list below
 * separated by commas (default: all), and SHARD, `i/n`: every n-th test from the i-th on. The last line is `emulated: N passed,
 * N failed`.
 */
import { native } from '../../src/native.ts'
import { collected } from './vitest.ts'

const SUITES: Record<string, () => Promise<unknown>> = {
  'batch-norm2d': () => import('../kernels/batch-norm2d.test.ts'),
  conv2d: () => import('../kernels/conv2d.test.ts'),
  'conv2d-norms': () => import('../kernels/conv2d-norms.test.ts'),
  elementwise: () => import('../kernels/elementwise.test.ts'),
  'igc-block': () => import('../kernels/igc-block.test.ts'),
}
const REPORT_EVERY = 25

for (const name of process.env.SUITES?.split(',') ?? Object.keys(SUITES)) {
  const suite = SUITES[name]
  if (suite === undefined) throw new RangeError(`SUITES: expected some of ${Object.keys(SUITES)} but received ${name}`)
  await suite()
}
const [shard = 0, shards = 1] = (process.env.SHARD ?? '0/1').split('/').map(Number)
const tests = collected().filter((_, i) => i % shards === shard)
console.log(`emulated: ${JSON.stringify(native.deviceInfo('cpu'))}`)
let failed = 0
for (const [i, { name, run }] of tests.entries()) {
  try {
    await run()
  } catch (error) {
    ++failed
    console.log(`emulated: FAILED ${name}: ${error instanceof Error ? error.message : error}`)
  }
  if ((i + 1) % REPORT_EVERY === 0) console.log(`emulated: ${i + 1} of ${tests.length}, ${failed} failed`)
}
console.log(`emulated: ${tests.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 && tests.length > 0 ? 0 : 1)
