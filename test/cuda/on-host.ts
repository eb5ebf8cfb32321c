/**
 * Import this before the addon loads: the device `cuda` is then the kernels of native/cuda on the host
 * (native/cuda/host/host_simt.h), and the kernel tests compare it with reference. `npm run build:cuda` builds the
 * plug-in, as does `npm run check`. With IGCNET_TEST_GPU=1 it is the GPU, for scripts/gpu-check.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The plug-in with the kernels on the host. */
export const hostPlugin = fileURLToPath(new URL('../../build/Release/libigcnet_simt.so', import.meta.url))
const onGpu = process.env.IGCNET_TEST_GPU === '1'
if (!onGpu && !existsSync(hostPlugin)) throw new Error(`${hostPlugin} is not there: run npm run build:cuda -- --host`)

if (!onGpu) process.env.IGCNET_CUDA_PLUGIN = hostPlugin
process.env.IGCNET_TEST_DEVICE = 'cuda'
