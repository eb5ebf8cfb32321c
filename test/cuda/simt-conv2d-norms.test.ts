/** conv2d between norms on the CUDA kernels, which run on the host: the tests of test/kernels. */
import './on-host.ts'

await import('../kernels/conv2d-norms.test.ts')
