/** igcBlock on the CUDA kernels, which run on the host: the tests of test/kernels. */
import './on-host.ts'

await import('../kernels/igc-block.test.ts')
