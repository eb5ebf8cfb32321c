/** Heads, optimiser, random numbers, dropout and casts on the CUDA kernels, which run on the host: the tests of test/kernels. */
import './on-host.ts'

await import('../kernels/linear.test.ts')
await import('../kernels/softmax.test.ts')
await import('../kernels/cross-entropy.test.ts')
await import('../kernels/sgd-step.test.ts')
await import('../kernels/random.test.ts')
await import('../kernels/dropout.test.ts')
await import('../kernels/cast.test.ts')
