/** Maps and moves of values on the CUDA kernels, which run on the host: the tests of test/kernels. */
import './on-host.ts'

await import('../kernels/batch-norm2d.test.ts')
await import('../kernels/elementwise.test.ts')
await import('../kernels/pool2d.test.ts')
await import('../kernels/reorder.test.ts')
