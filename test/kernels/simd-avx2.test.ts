/** The convolutions and batch norm with our kernels held to the instruction set `avx2` (IGCNET_SIMD). */
process.env.IGCNET_SIMD = 'avx2'
const { testInstructionSet } = await import('./instruction-set.ts')
testInstructionSet()
