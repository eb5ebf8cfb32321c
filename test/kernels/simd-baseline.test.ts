/** The convolutions and batch norm with our kernels held to the instruction set `baseline` (IGCNET_SIMD). */
process.env.IGCNET_SIMD = 'baseline'
const { testInstructionSet } = await import('./instruction-set.ts')
testInstructionSet()
