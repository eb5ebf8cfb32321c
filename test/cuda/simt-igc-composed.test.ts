/** igcBlock as its four operators (IGCNET_CUDA_IGC=cudnn) on the CUDA kernels, which run on the host. */
import './on-host.ts'

process.env.IGCNET_CUDA_IGC = 'cudnn'
await import('../kernels/igc-block.test.ts')
