/** Recorded work on the device `cuda`, with its kernels on the host. On a GPU the same tests run on CUDA graphs. */
import './on-host.ts'

await import('../binding/recording.test.ts')
await import('../train/recorded-step.test.ts')
await import('../train/recorded-inference.test.ts')
